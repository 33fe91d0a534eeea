package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// The slow neighbour: our daemon exports a file of ours in memory, and beside it
// one on a FUSE file system that this program serves, where every request takes
// slowRequest. A second aoebench saturates that one.
const (
	slowRequest = 100 * time.Millisecond
	slowBytes   = 64 << 20
	slowDepth   = 64
	aloneName   = "ours, alone"
)

// slowFile takes its time.
type slowFile struct{ fs.Inode }

var (
	_ fs.NodeGetattrer = (*slowFile)(nil)
	_ fs.NodeOpener    = (*slowFile)(nil)
	_ fs.NodeReader    = (*slowFile)(nil)
	_ fs.NodeWriter    = (*slowFile)(nil)
)

func (*slowFile) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Size, out.Mode = slowBytes, syscall.S_IFREG|0o600
	return 0
}

// Open keeps the file out of the page cache, which would be fast.
func (*slowFile) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (*slowFile) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	time.Sleep(slowRequest)
	clear(dest)
	return fuse.ReadResultData(dest[:max(0, min(int64(len(dest)), slowBytes-off))]), 0
}

func (*slowFile) Write(_ context.Context, _ fs.FileHandle, data []byte, _ int64) (uint32, syscall.Errno) {
	time.Sleep(slowRequest)
	return uint32(len(data)), 0
}

// mountSlow mounts a file system with one slow file, in the rig's mount
// namespace: the caller must be its thread.
func mountSlow(dir string) (path string, server *fuse.Server, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, err
	}
	root := &fs.Inode{}
	options := &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "bench-slow", Name: "bench"}}
	options.OnAdd = func(ctx context.Context) {
		root.AddChild("slow", root.NewPersistentInode(ctx, &slowFile{}, fs.StableAttr{Mode: syscall.S_IFREG}), false)
	}
	server, err = fs.Mount(dir, root, options)
	if err != nil {
		return "", nil, fmt.Errorf("mounting the slow file: %w", err)
	}
	return filepath.Join(dir, "slow"), server, nil
}

// slowGroup measures the fast export alone, and beside its neighbour, of one
// daemon.
func slowGroup() group {
	var fast *served
	var neighbour string
	alone := contender{aloneName, func(r *rig, place int) (s *served, err error) {
		if s, err = startSlow(r, place); err != nil {
			return nil, err
		}
		client, clean := s.netif, s.clean
		s.clean = func() { removeSegment(client); clean() }
		if s.netif, neighbour, err = segment(client); err != nil {
			s.stop()
			return nil, err
		}
		fast = s
		return s, nil
	}}
	beside := contender{ours, func(r *rig, _ int) (*served, error) {
		return besideNeighbour(r, fast, neighbour), nil
	}}
	return group{"slow", []row{{"beside a slow export", atDepth16, []figure{p99, iops}, []goal{{p99, aloneName, 2, 0}}}},
		[]contender{alone, beside}, []pair{{ours, aloneName}}}
}

func startSlow(r *rig, place int) (*served, error) {
	dir := filepath.Join(memory, "slow")
	slow, server, err := mountSlow(dir)
	if err != nil {
		return nil, err
	}
	fast := filepath.Join(memory, "fast")
	var s *served
	if err = writeFile(fast, oneExport); err == nil {
		s, err = r.serve("", place, []string{fast, slow}, "writeback")
	}
	clean := func() {
		_ = server.Unmount()
		_ = os.RemoveAll(dir)
		_ = os.Remove(fast)
	}
	if err != nil {
		clean()
		return nil, err
	}
	s.exports, s.clean = "e0.0", clean
	return s, nil
}

// besideNeighbour is s while its other export is saturated from netif.
func besideNeighbour(r *rig, s *served, netif string) *served {
	var neighbour *process
	with := &served{netif: s.netif, exports: s.exports}
	with.before = func() (err error) {
		slow := &served{netif: netif, exports: "e0.1"}
		l := load{RW: "randread", Block: "4k", Depth: slowDepth}
		args := append(r.aoebenchArgs(slow, l, time.Hour, 0), "--sleep", "--retransmit", "none", "--timeout", "60s")
		if neighbour, err = r.start(&r.clients, args...); err != nil {
			return err
		}
		return r.pause(3 * slowRequest) // the depth is reached
	}
	with.measure = func(r *rig, l load, seconds float64) (measurement, error) {
		m, err := r.measure(s, l, seconds)
		if err != nil {
			return m, err
		}
		m.Neighbour, err = stopNeighbour(neighbour)
		return m, err
	}
	with.after = func() error { return r.pause(slowRequest) }
	return with
}

// stopNeighbour ends the second aoebench, which waits for what it has sent, and
// returns how many requests a second it got answered.
func stopNeighbour(p *process) (float64, error) {
	if err := p.stop(); err != nil {
		return 0, fmt.Errorf("the neighbour: %w: %s", err, p.said())
	}
	text, err := os.ReadFile(p.log)
	if err != nil {
		return 0, err
	}
	var report aoebenchReport
	if err := json.Unmarshal(text, &report); err != nil {
		return 0, fmt.Errorf("the neighbour's report: %w: %s", err, text)
	}
	if report.IOPS == 0 {
		return 0, fmt.Errorf("the neighbour got no answer: %s", text)
	}
	return report.IOPS, nil
}
