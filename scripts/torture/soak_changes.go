package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// change is a command for a file of the tree; without text, the file is read.
type change struct{ file, text string }

// soakChanges are what a soak does to a daemon, from one state back to the same:
// another drive with addresses in every tree, and what can be changed of the
// export that is loaded.
func soakChanges(loaded, other string, paths []*path) (list []change) {
	add := func(file, format string, args ...any) {
		list = append(list, change{file, fmt.Sprintf(format, args...)})
	}
	own := fmt.Sprintf("targets/e%v/", trialAddr)
	add("vblade/drives", "add other %s", other)
	add("targets/blades", "add e3.1 other")
	add("targets/e3.1/accept", "add 02:00:00:00:00:01")
	add("targets/e3.1/masks", "add 02:00:00:00:00:02")
	add("targets/e3.1/config", "some text")
	for _, p := range paths {
		add("targets/ports", "add e3.1 %s", p.netif)
		add("vblade/other/ports", "add %s 3 2", p.netif)
	}
	add("vblade/other/cache", "durable")
	add("vblade/other/cache", "writeback")
	add("vblade/other/readonly", "1")
	add("vblade/other/readonly", "0")
	add("vblade/other/pause", "1")
	add("vblade/other/pause", "0")
	add("vblade/other/resize", "1")
	add(own+"config", "a text")
	add(own+"deny", "add 02:00:00:00:00:03")
	add(own+"deny", "del 02:00:00:00:00:03")
	add("vblade/d/pause", "1")
	add("vblade/d/pause", "0")
	add("vblade/d/cache", "durable")
	add("vblade/d/cache", "direct")
	add(own+"config", "")
	add("kvblade/announce", "")
	for _, file := range []string{"saved", "log", "README", "vblade/drives", own + "initiators", own + "stats", "aoeserver"} {
		list = append(list, change{file: file})
	}
	for _, p := range paths {
		add("vblade/other/ports", "del %s 3 2", p.netif)
	}
	add("targets/blades", "del e3.1")
	add("vblade/drives", "del other")
	add("aoeserver", "add %s 4 1 %s", other, paths[0].netif)
	add("aoeserver", "del %s 4 1 %s", other, paths[0].netif)
	add("kvblade/add", "5 1 %s %s", paths[0].netif, other)
	add("kvblade/readd", "5 1 %s %s", paths[0].netif, loaded)
	add("kvblade/del", "5 1 %s", paths[0].netif)
	return list
}

// apply carries a change out.
func (d *daemon) apply(c change) error {
	if err := d.alive(); err != nil {
		return err
	}
	if c.text == "" && c.file != "kvblade/announce" && filepath.Base(c.file) != "config" {
		text, err := os.ReadFile(filepath.Join(d.dir, c.file))
		if err == nil && len(text) == 0 {
			err = fmt.Errorf("%s is empty", c.file)
		}
		return err
	}
	return d.echo(c.text, c.file)
}

// writeZeros makes a file of zeros.
func writeZeros(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
