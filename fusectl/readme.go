package fusectl

import (
	"fmt"
	"strings"
)

const readmeHead = `vbladefs exports disks over ATA over Ethernet. This tree is its control.

    echo add /dev/loop1 0 1 eth0   > aoeserver
    echo add do /dev/loop2         > vblade/drives
    echo add eth0 0 2 32 8         > vblade/do/ports
    echo 0 0 eth0 /dev/loop0       > kvblade/add

All of it is one state: what is added through one part is listed by, and can be
removed through, the others.

Write one command a line. Lines are carried out in order; the first bad one ends
the write with its error, and those before it stay. Why it was refused is in the
file log, a line for each, and in syslog:

    TIME warning FILE: refused "LINE" at column N: ERRNO: REASON: want EXPECTED

Column N is where the bad word begins; if no word is to blame, it is left out,
and "takes" comes instead of "want", with what the file takes.

The last newline may be missing. But when several lines, a single byte, or a full
block of 4096 bytes end without one, the last line is taken for cut: its rest is
waited for until whoever wrote it closes the file; after a full block, until
nobody has the file open, and then only the log tells whether it was refused.

In the grammars below, words in capitals are yours to fill in, and what is in
brackets may be left out. [...] is more words, which are ignored.

Counters: reads and read_sectors, writes and write_sectors; others (identify,
flush, config and lists); errors (requests answered with one); dropped (requests
left unanswered: from a host that no list admits, malformed, or beyond the
buffers); in_flight (with the disk now); announces; ata_errors (among the errors);
full (among the dropped: beyond the buffers); depth (sum of what each request that
needs the disk found in flight, itself included); read_ns, write_ns and other_ns
(sums of the time from a request to its reply, by a clock that stands still while
what needs no waiting is served).

A path holds no blanks, and is of the daemon's own mount namespace. INTERFACE is
an Ethernet interface, or lo; or a pattern, for all that match, now and later: names
with * for any characters and ? for one, with commas between. A lone * leaves lo out.

In an access list the first ROW with a host decides: accept MAC or reject MAC; for
other hosts the POLICY does: accept or reject. What it refuses is not answered if
it asks for or changes the config string or a list, else refused with an error.
With log it goes to the log who passes and who does not, once a minute, as of NAME.

SHELF is 0-65534 and SLOT 0-254; numbers are decimal, 0x hexadecimal or 0 octal.
Only root, or the group given at start, may write.

`

// Help is the text of the tree's README, made from the table of its files.
func Help() string {
	var b strings.Builder
	b.WriteString(readmeHead)
	describe(&b, root(), "")
	return b.String()
}

// describe writes the rows of folder d, whose path is prefix.
func describe(b *strings.Builder, d *dir, prefix string) {
	for _, f := range d.files {
		fmt.Fprintf(b, "%s\n", prefix+f.name)
		if f.about != "" {
			fmt.Fprintf(b, "    %s\n", f.about)
		}
		for _, takes := range f.takes {
			fmt.Fprintf(b, "    write: %s\n", takes)
		}
		if f.gives != "" {
			fmt.Fprintf(b, "    read:  %s\n", f.gives)
		}
	}
	for _, sub := range d.dirs {
		path := prefix + sub.name + "/"
		fmt.Fprintf(b, "\n%s\n    %s\n", path, sub.about)
		describe(b, sub, path)
	}
}
