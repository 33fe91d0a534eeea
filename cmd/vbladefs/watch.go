package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"vbladefs/cmd/internal/watch"
)

// treeOf is the one argument that a command may have: where the tree is mounted.
func treeOf(f *flags) (string, error) {
	switch {
	case f.NArg() == 0:
		return defaultMount, nil
	case f.NArg() == 1 && f.Arg(0) != "":
		return f.Arg(0), nil
	}
	return "", badUsage("%d arguments, want at most one: the directory where the control tree is mounted", f.NArg())
}

// unwell is the exit code for what cannot be told, as for what is down.
const unwell = int(watch.Down)

// status tells whether what is exported is well.
func status(args []string, stdout io.Writer) error {
	f := newFlags("status", stdout, "[options] [DIRECTORY]", `Tells whether each export is well, a line each, and if not why.
Exit status: 0, all are well; 1, some are degraded; 2, some are down, or it could not be asked.
DIRECTORY is where the control tree is mounted, by default `+defaultMount+`.
`)
	asJSON := f.Bool("json", false, "write one JSON object")
	quiet := f.Bool("quiet", false, "write nothing but why it could not be asked")
	if err := f.parse(args); err != nil {
		return err
	}
	dir, err := treeOf(f)
	if err != nil {
		return err
	}
	s, err := watch.ReadStatus(dir)
	if err != nil {
		return &exitError{unwell, err}
	}
	if err := showStatus(stdout, &s, *asJSON, *quiet); err != nil {
		return &exitError{unwell, err}
	}
	if s.Worst() == watch.OK {
		return nil
	}
	return &exitError{int(s.Worst()), errSilent}
}

func showStatus(w io.Writer, s *watch.Status, asJSON, quiet bool) (err error) {
	switch {
	case quiet:
	case asJSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		err = e.Encode(s)
	default:
		for _, line := range s.Lines() {
			if _, err = fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
		_, err = fmt.Fprintln(w, s.Sum())
	}
	return err
}

// top shows what is going on.
func top(args []string, stdout io.Writer) error {
	f := newFlags("top", stdout, "[options] [DIRECTORY]", `Shows what exports, initiators and interfaces do: on a terminal as a screen with keys (h: help), else as text.
DIRECTORY is where the control tree is mounted, by default `+defaultMount+`.
`)
	o := watch.Options{}
	f.DurationVar(&o.Interval, "interval", time.Second, "how long each measurement takes, 100ms to 1h")
	f.BoolVar(&o.Once, "once", false, "write one measurement and end")
	f.BoolVar(&o.JSON, "json", false, "write a JSON object a measurement, with everything")
	kind := f.String("view", "", "show exports, initiators or interfaces; by default a screen begins with exports, and text has all")
	sort := f.String("sort", "", "sort by this column; most first")
	filter := f.String("filter", "", "show only rows with this text")
	if err := f.parse(args); err != nil {
		return err
	}
	var err error
	if o.Dir, err = treeOf(f); err != nil {
		return err
	}
	if o.Interval < 100*time.Millisecond || o.Interval > time.Hour {
		return badUsage("-interval %s: want 100ms to 1h", o.Interval)
	}
	if o.Views, err = views(*kind, *sort, *filter); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	out, _ := stdout.(*os.File)
	return watch.Top(ctx, o, os.Stdin, out)
}

// views are those that the options of top ask for.
func views(kind, sort, filter string) (list []watch.View, err error) {
	for k := range watch.Kinds {
		list = append(list, watch.View{Kind: k, Filter: filter})
	}
	if kind != "" {
		k, err := watch.ParseKind(kind)
		if err != nil {
			return nil, badUsage("-view %v", err)
		}
		list = list[k : k+1]
	}
	if sort == "" {
		return list, nil
	}
	found := false
	for i := range list {
		sorted := list[i].SetSort(sort)
		found = found || sorted == nil
		if err == nil {
			err = sorted
		}
	}
	if !found {
		return nil, badUsage("-sort %v", err)
	}
	return list, nil
}
