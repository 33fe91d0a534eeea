// Package netiotest gives tests real interfaces without touching the machine's network: network
// namespaces that the test makes and removes, joined by veth pairs. Pipe joins two ends in memory, with
// the methods of a netio.Link, for tests that need frames but no kernel. It is not for use outside tests.
package netiotest
