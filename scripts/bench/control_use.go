package main

import (
	"errors"
	"fmt"
	"time"

	"vbladefs/netio"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// useTimeout bounds each request of use; it decides only how long a failure takes.
const useTimeout = time.Minute

// use has one initiator write, read and flush each of the first n exports so many times: what a daemon remembers of traffic
// it has then.
func (d *controlled) use(n, times int) (err error) {
	ifi, err := netio.Lookup(d.client)
	if err != nil {
		return err
	}
	link, err := netio.Open(d.client, netio.Options{Replies: true, RingBytes: 16 << 20})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, link.Close()) }()
	in, err := initiator.New(link, initiator.Local{MAC: ifi.MAC, MTU: ifi.MTU})
	if err != nil {
		return err
	}
	addrs := make([]aoe.Addr, n)
	for i := range addrs {
		shelf, slot := address(i)
		addrs[i] = aoe.Addr{Shelf: uint16(shelf), Slot: uint8(slot)}
	}
	exports, err := in.OpenAll(addrs, initiator.Options{Window: 64, FindTimeout: useTimeout, Timeout: useTimeout})
	if err != nil {
		return err
	}
	for _, io := range []initiator.IO{
		{Op: initiator.Write}, {Op: initiator.Read}, {Op: initiator.ATA, Regs: aoe.ATA{Command: 0xe7}}, // FLUSH CACHE
	} {
		if err := useAll(exports[0].Engine(), n, times, io); err != nil {
			return err
		}
	}
	return nil
}

// useAll has requests like io done by each of n exports.
func useAll(e *initiator.Engine, n, times int, io initiator.IO) error {
	all := make([]initiator.IO, n*times)
	for i := range all {
		all[i] = io
		all[i].Peer = i % n
		if io.Op != initiator.ATA {
			all[i].Data = make([]byte, aoe.SectorSize)
		}
		if err := e.Submit(&all[i]); err != nil {
			return err
		}
	}
	for !e.Idle() {
		if err := e.Push(); err != nil {
			return err
		}
		done, err := e.Poll()
		if err != nil {
			return err
		}
		for _, io := range done {
			if io.Err != nil {
				return fmt.Errorf("export %d: %w", io.Peer, io.Err)
			}
		}
		if len(done) == 0 {
			e.Wait(10 * time.Millisecond)
		}
	}
	return nil
}

// poolUsers are so many exports that their requests take all buffers of a worker: each has 64 outstanding, of 1024.
const poolUsers = 16

// inUse is what an export takes that has been used: beyond the same when it has not, and without the buffers of requests,
// which it does not keep.
func (c *controlRun) inUse() (err error) {
	d, err := c.start("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	_, idle, err := d.addAtOnce("aoeserver", c.files, "add %[1]s %[2]d %[3]d %[4]s\n")
	if err != nil {
		return err
	}
	if err := d.use(poolUsers, 512); err != nil {
		return err
	}
	before, err := d.memory()
	if err != nil {
		return err
	}
	if err := d.use(len(c.files), 1); err != nil {
		return err
	}
	after, err := d.memory()
	if err != nil {
		return err
	}
	c.add("memory of an export, a file each, when it has been used", idle+perExport(before, after, len(c.files)-poolUsers), maxExport, "bytes",
		fmt.Sprintf("after a read, a write and a flush of one initiator; %.0f before", idle))
	return nil
}
