// Package targettest has what tests of a target need: a machine in memory, and
// conversations with a target as text files.
//
// A Machine stands for the kernel: interfaces whose frames a test injects and
// collects, media that guard what lies around them, and I/O queues that finish
// transfers at once, later, or when the test says so. Its Parts make a
// target.Target; it counts what is opened and closed and can let any opening
// fail.
//
// Run plays conversations (conversation.go describes them) over a Rig: a target
// with a network and disks, in memory (MemoryRig) or real.
//
// It is not for use outside tests.
package targettest
