// Vmrun boots the Linux AoE client on a tap interface, runs one shell script in it, shows its output as it comes, and exits
// with the script's code. For the demo and for trying things by hand:
//
//	vmrun -netns lab -tap tap0 -mtu 9000 script.sh
//	echo 'aoe-discover; sleep 1; aoe-stat' | vmrun -netns lab -tap tap0
//	vmrun -prepare         # only fetch the guest's kernel into the cache
//
// Exit code 125 is vmrun's own: the guest did not boot, or died, or took too long.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"vbladefs/scripts/vm"
)

const exitOwn = 125

type options struct {
	config  vm.Config
	command string
	script  string
	limit   time.Duration
	prepare bool
}

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		var code int
		if code, err = run(ctx, o); err == nil {
			os.Exit(code)
		}
	}
	fmt.Fprintln(os.Stderr, "vmrun:", err)
	os.Exit(exitOwn)
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("vmrun", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: vmrun -netns NAME -tap IF [options] [-c COMMANDS | SCRIPT-FILE]   (default: standard input)")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.config.Netns, "netns", "", "network namespace: a name below /run/netns, or a path")
	flags.StringVar(&o.config.Tap, "tap", "", "tap interface there, up and with the MTU given")
	flags.IntVar(&o.config.MTU, "mtu", 1500, "MTU of the guest's eth0, `bytes`")
	flags.StringVar(&o.config.MAC, "mac", vm.DefaultMAC, "hardware `address` of the guest's eth0")
	flags.StringVar(&o.config.ConsoleLog, "log", "", "`file` that keeps the guest's console")
	flags.StringVar(&o.command, "c", "", "`commands` to run instead of a script file")
	flags.DurationVar(&o.limit, "timeout", 5*time.Minute, "give up after this `time`, boot included")
	flags.BoolVar(&o.prepare, "prepare", false, "only fetch the guest's kernel into "+vm.CacheDir())
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.script = flags.Arg(0)
	switch {
	case flags.NArg() > 1:
		return o, fmt.Errorf("one script, not %d; quote it or use -c", flags.NArg())
	case o.script != "" && o.command != "":
		return o, errors.New("-c and a script file exclude each other")
	case !o.prepare && (o.config.Netns == "" || o.config.Tap == ""):
		return o, errors.New("-netns and -tap are required; see vmrun -h")
	}
	if !strings.Contains(o.config.Netns, "/") {
		o.config.Netns = "/run/netns/" + o.config.Netns
	}
	return o, nil
}

// text is the script to run.
func (o options) text() (string, error) {
	if o.command != "" {
		return o.command, nil
	}
	if o.script != "" {
		text, err := os.ReadFile(o.script)
		return string(text), err
	}
	text, err := io.ReadAll(os.Stdin)
	return string(text), err
}

// run boots, runs, and powers off; it always leaves nothing behind but the console log asked for.
func run(ctx context.Context, o options) (code int, err error) {
	if err := vm.Missing(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	if o.prepare {
		return 0, vm.Prepare(ctx)
	}
	script, err := o.text()
	if err != nil {
		return 0, err
	}
	guest, err := vm.Boot(ctx, o.config)
	if err != nil {
		return 0, err
	}
	code, err = guest.RunTo(ctx, script, os.Stdout)
	return code, errors.Join(err, guest.Close())
}
