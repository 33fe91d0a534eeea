package qaoed

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/qaoed"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// slow is an API that does nothing, and SetMTU only when it is let.
type slow struct{ begun, finish chan struct{} }

func (s slow) Status() qaoed.Status                           { return qaoed.Status{Targets: 1} }
func (s slow) Interfaces() []qaoed.InterfaceInfo              { return nil }
func (s slow) Targets() []qaoed.Target                        { return nil }
func (s slow) Target(qaoed.Target) (qaoed.Detail, error)      { return qaoed.Detail{}, io.EOF }
func (s slow) AddTarget(t qaoed.Target) (qaoed.Target, error) { return t, nil }
func (s slow) RemoveTarget(qaoed.Target) error                { return nil }
func (s slow) SetACLs(qaoed.Detail) error                     { return nil }
func (s slow) Lists() []qaoed.ListInfo                        { return nil }

func (s slow) SetMTU(_ string, mtu int32) (int32, error) {
	s.begun <- struct{}{}
	<-s.finish
	return mtu, nil
}

func answering(t *testing.T, request time.Duration) (*api, slow) {
	t.Helper()
	actions := slow{make(chan struct{}), make(chan struct{})}
	log := logrus.New()
	log.SetOutput(io.Discard)
	a, err := listen(filepath.Join(t.TempDir(), "s"), actions, log)
	if err != nil {
		t.Fatal(err)
	}
	a.request = request
	go a.serve()
	return a, actions
}

func dial(t *testing.T, a *api) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", a.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

func status(c net.Conn) error {
	_, err := c.Write(qaoed.Header{}.Append(nil))
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, 8+12))
	}
	return err
}

// TestEviction: when there are too many clients the one that was quiet for longest
// goes, and not one that waits for its reply.
func TestEviction(t *testing.T) {
	a, actions := answering(t, requestTime)
	waiting := dial(t, a)
	request := qaoed.InterfaceCommand{Name: "eth0", MTU: 1500}.Append(qaoed.Header{Command: qaoed.CmdSetMTU, Length: 24}.Append(nil))
	if _, err := waiting.Write(request); err != nil {
		t.Fatal(err)
	}
	<-actions.begun
	quiet, active := dial(t, a), dial(t, a)
	for _, c := range []net.Conn{quiet, active, active} {
		if err := status(c); err != nil {
			t.Fatal(err)
		}
	}
	for range maxClients - 2 { // one more than there is room for
		if err := status(dial(t, a)); err != nil {
			t.Fatal(err)
		}
	}
	if err := status(quiet); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the one that was quiet for longest: %v, want the end", err)
	}
	if err := status(active); err != nil {
		t.Errorf("one that asked later: %v", err)
	}
	close(actions.finish)
	reply := make([]byte, 8+24)
	if _, err := io.ReadFull(waiting, reply); err != nil || binary.NativeEndian.Uint32(reply[8+20:]) != 1500 {
		t.Errorf("one that waited: %v, % x", err, reply)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
}

// TestClose: who waits gets its reply, others are sent away, and the socket goes.
func TestClose(t *testing.T) {
	a, actions := answering(t, requestTime)
	idle, half, waiting := dial(t, a), dial(t, a), dial(t, a)
	if err := status(idle); err != nil {
		t.Fatal(err)
	}
	_, _ = half.Write([]byte{6, 0, 0})
	_, _ = waiting.Write(qaoed.InterfaceCommand{MTU: 1500}.Append(qaoed.Header{Command: qaoed.CmdSetMTU, Length: 24}.Append(nil)))
	<-actions.begun
	closed := make(chan error)
	go func() { closed <- a.close() }()
	for _, c := range []net.Conn{idle, half} {
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("an idle client: %v, want the end", err)
		}
	}
	close(actions.finish)
	if _, err := io.ReadFull(waiting, make([]byte, 8+24)); err != nil {
		t.Errorf("one that waited: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(a.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestCloseLeavesOthers: a socket that another has made in the same place stays.
func TestCloseLeavesOthers(t *testing.T) {
	a, _ := answering(t, requestTime)
	if err := os.Remove(a.path); err != nil {
		t.Fatal(err)
	}
	if a.reachable() {
		t.Error("a socket without a file is reachable")
	}
	b, err := listen(a.path, a.actions, a.log)
	if err != nil {
		t.Fatal(err)
	}
	go b.serve()
	if err := a.close(); err != nil || a.reachable() || !b.reachable() {
		t.Errorf("closing the old one: %v", err)
	}
	if err := status(dial(t, b)); err != nil {
		t.Error(err)
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
}

// TestCloseBeforeTheDeaf: one that asks and never listens does not hold up the end.
func TestCloseBeforeTheDeaf(t *testing.T) {
	a, _ := answering(t, time.Hour)
	deaf := dial(t, a)
	_ = deaf.SetWriteDeadline(time.Now().Add(time.Second))
	for err := error(nil); err == nil; { // until there is no room for replies
		_, err = deaf.Write(qaoed.Header{}.Append(nil))
	}
	closed := make(chan error)
	go func() { closed <- a.close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it waits for one that does not listen")
	}
}
