package netio

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// bundle is the links of a group that another process had, in the hands of one owner: a stand-in for a group of ours. Each frame
// comes to one of them, and those of an address to the same, so that their order stays.
type bundle struct {
	rings []*ringLink
	poll  int // epoll(7) of all, to sleep on
	first int // where the next Receive begins, so that none is left out
}

func newBundle(rings []*ringLink) (*bundle, error) {
	b := &bundle{rings: rings}
	poll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	b.poll = poll
	for _, l := range rings {
		if err == nil {
			err = unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, l.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.fd)})
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for frames of %d links: %w", len(rings), err), b.Close())
	}
	return b, nil
}

// each calls f for every link, and joins what fails.
func (b *bundle) each(f func(*ringLink) error) (err error) {
	for _, l := range b.rings {
		err = errors.Join(err, f(l))
	}
	return err
}

func (b *bundle) Receive(frames [][]byte) (int, error) {
	b.first++
	n := 0
	for i := range b.rings {
		got, err := b.rings[(b.first+i)%len(b.rings)].Receive(frames[n:])
		if n += got; err != nil && n == 0 {
			return 0, err
		}
		if n == len(frames) {
			break
		}
	}
	return n, nil
}

func (b *bundle) Release() {
	for _, l := range b.rings {
		l.Release()
	}
}

func (b *bundle) Send(headers, payloads [][]byte) (int, error) {
	return b.rings[0].Send(headers, payloads)
}

func (b *bundle) FD() int      { return b.poll }
func (b *bundle) Kind() string { return "ring" }

func (b *bundle) ReceiveDrops() (n uint64) {
	for _, l := range b.rings {
		n += l.ReceiveDrops()
	}
	return n
}

func (b *bundle) SendDrops() uint64 { return b.rings[0].SendDrops() }

func (b *bundle) Stamp(on bool) error {
	return b.each(func(l *ringLink) error { return l.Stamp(on) })
}

func (b *bundle) Skip() {
	for _, l := range b.rings {
		l.Skip()
	}
}

func (b *bundle) Only(from, until int64) {
	for _, l := range b.rings {
		l.Only(from, until)
	}
}

func (b *bundle) Alone() bool   { return false }
func (b *bundle) Arrived() bool { return true }

func (b *bundle) Close() (err error) {
	if b.poll >= 0 {
		err = unix.Close(b.poll)
		b.poll = -1
	}
	return errors.Join(err, b.each((*ringLink).Close))
}
