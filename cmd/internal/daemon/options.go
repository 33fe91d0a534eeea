package daemon

import (
	"fmt"
	"strings"

	"github.com/sirupsen/logrus"

	"vbladefs/fusectl"
)

// Own are the options that every personality takes beside its original's. They
// are long ones, which no original has, and may stand anywhere.
type Own struct {
	Mount string // where to mount the control tree; "": nowhere
	Force bool   // serve addresses that another machine or daemon answers for, and files that another process uses
	Link  string // as serve's options of these names
	IO    string
}

// OwnUsage is what a personality's help says of them.
const OwnUsage = `  --mount DIRECTORY  mount the control tree there, to watch with cat
  --force            serve addresses that another machine answers for, and files that another process uses
  --link KIND        how frames are received: ring, raw, xdp or auto
  --io KIND          how disks are read and written: uring, sync or auto
`

// TakeOwn takes the options that are ours out of args, up to "--".
func TakeOwn(args []string) (o Own, rest []string, err error) {
	values := map[string]*string{"--mount": &o.Mount, "--link": &o.Link, "--io": &o.IO}
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(args[i], "=")
		target := values[name]
		switch {
		case args[i] == "--":
			return o, append(rest, args[i:]...), o.check()
		case args[i] == "--force":
			o.Force = true
			continue
		case target == nil:
			rest = append(rest, args[i])
			continue
		case !given && i+1 < len(args):
			i++
			value = args[i]
		}
		if value == "" {
			return o, nil, fmt.Errorf("%s needs a value", name)
		}
		*target = value
	}
	return o, rest, o.check()
}

func (o *Own) check() error {
	for _, c := range []struct{ name, value, want string }{
		{"--link", o.Link, " auto ring raw xdp "}, {"--io", o.IO, " auto uring sync "},
	} {
		if c.value != "" && !strings.Contains(c.want, " "+c.value+" ") {
			return fmt.Errorf("%s %q: want one of%s", c.name, c.value, strings.TrimRight(c.want, " "))
		}
	}
	return nil
}

// MountOwn mounts the control tree where o says, if it does.
func (d *Daemon) MountOwn(o Own, log *logrus.Logger, events *fusectl.Events) error {
	if o.Mount == "" {
		return nil
	}
	return d.Mount(o.Mount, fusectl.Options{Logger: log, Events: events})
}
