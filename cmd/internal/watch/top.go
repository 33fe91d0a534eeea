package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Options say how Top shows what is going on.
type Options struct {
	Dir      string
	Interval time.Duration
	Views    []View // of plain output; on a terminal the first one is shown first
	Once     bool
	JSON     bool
}

// Top shows reports, one an interval, until ctx ends or somebody quits: as a screen with
// keys where both in and out are terminals and nothing else is asked for.
func Top(ctx context.Context, o Options, in, out *os.File) error {
	if !o.Once && !o.JSON && IsTerminal(in) && IsTerminal(out) {
		return live(ctx, o, in, out)
	}
	return plainly(ctx, o, out)
}

// plainly writes reports one after the other.
func plainly(ctx context.Context, o Options, out io.Writer) error {
	old, err := Read(o.Dir)
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.Interval):
		}
		var now Snapshot
		if now, err = Read(o.Dir); err != nil {
			break
		}
		r := Compare(old, now)
		if o.JSON {
			err = json.NewEncoder(out).Encode(r)
		} else {
			err = WritePlain(out, &r, o.Views)
		}
		if o.Once {
			return err
		}
		old = now
	}
	return err
}

// reading is a snapshot, or why there is none.
type reading struct {
	Snapshot
	err error
}

// readings takes a snapshot an interval; a tree that does not answer holds up nothing else.
func readings(ctx context.Context, o Options) <-chan reading {
	all := make(chan reading)
	go func() {
		for {
			s, err := Read(o.Dir)
			select {
			case all <- reading{s, err}:
			case <-ctx.Done():
				return
			}
			select {
			case <-time.After(o.Interval):
			case <-ctx.Done():
				return
			}
		}
	}()
	return all
}

// live draws reports on a terminal and obeys keys.
func live(ctx context.Context, o Options, in, out *os.File) error {
	if _, err := Read(o.Dir); err != nil {
		return err // said where it can be read
	}
	s, err := openScreen(in, out)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k := keyboard{view: o.Views[0]}
	keys, news := s.keys(), readings(ctx, o)
	var old *Snapshot
	var report *Report
	var trouble error
	for !k.quit {
		if err := s.draw(k.page(report, trouble, s)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case c, open := <-keys:
			if !open {
				return errors.New("the terminal is gone")
			}
			k.press(c)
		case now := <-news:
			trouble = now.err
			if now.err != nil || k.paused {
				old = nil // what is shown next is of an interval of its own
				continue
			}
			if old != nil {
				r := Compare(*old, now.Snapshot)
				report = &r
			}
			old = &now.Snapshot
		}
	}
	return nil
}

// page is what is drawn, and which line of it is the heading.
func (k *keyboard) page(r *Report, trouble error, s *screen) (text []string, heading int) {
	text = append(text, "vbladefs top  "+k.prompt(r))
	if trouble != nil {
		text = append(text, fmt.Sprintf("%v", trouble))
	}
	if k.help {
		return append(text, helpLines...), -1
	}
	if r == nil {
		return text, -1
	}
	lines := k.view.lines(r)
	height, _ := s.size()
	room := max(height-len(text)-1, 1)
	k.view.Skip = max(min(k.view.Skip, len(lines)-1-room), 0)
	text = append(text, lines[0])
	return append(text, lines[1+k.view.Skip:]...), len(text) - 1
}
