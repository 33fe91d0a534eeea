package ggaoed

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/compat/ggaoed"
	"vbladefs/compat/text"
)

// answerPatience is how long ggaoectl waits for a daemon that does not answer.
const answerPatience = 10 * time.Second

// subcommand is one of ggaoectl's.
type subcommand struct {
	command ggaoed.Command
	show    func([]ggaoed.Answer) string // nil: nothing
}

var subcommands = map[string]subcommand{
	"reload":        {ggaoed.Reload, nil},
	"stats":         {ggaoed.GetStats, ggaoed.StatsText},
	"show-config":   {ggaoed.GetConfig, ggaoed.ConfigText},
	"show-macmask":  {ggaoed.GetMasks, ggaoed.HostsText},
	"show-reserve":  {ggaoed.GetReserve, ggaoed.HostsText},
	"clear-stats":   {ggaoed.ClearStats, nil},
	"clear-config":  {ggaoed.ClearConfig, nil},
	"clear-macmask": {ggaoed.ClearMasks, nil},
	"clear-reserve": {ggaoed.ClearReserve, nil},
}

const ctlCommands = `Commands:
  reload                       read the configuration file again
  stats [NAME...]              show counters of devices and interfaces
  monitor [SECONDS] [NAME...]  show what happens, again and again
  show-config [NAME...]        show config strings
  show-macmask [NAME...]       show MAC masks
  show-reserve [NAME...]       show reservations
  clear-stats [NAME...]        begin counting anew
  clear-config NAME...         empty config strings
  clear-macmask NAME...        empty MAC masks
  clear-reserve NAME...        end reservations
A NAME is that of a device or an interface, or a pattern with * and ?.
`

// CtlMain is the program ggaoectl; args[0] is what it was called.
func CtlMain(args []string, stdout, stderr io.Writer) int {
	config, help, version := defaultConfig, false, false
	options := []option{
		{'c', "config", &config, nil, "configuration file of the daemon, by default " + defaultConfig},
		{'h', "help", nil, &help, "show this"},
		{'V', "version", nil, &version, "show the version"},
	}
	words, err := parseOptions(args[1:], options)
	first := "Usage: " + args[0] + " [options] command [arguments]"
	switch {
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "%s: %v\n", args[0], err)
		usage(stdout, first, options)
		return exitFailure
	case help:
		usage(stdout, first, options)
		_, _ = io.WriteString(stdout, ctlCommands)
		return exitOK
	case version:
		_, _ = fmt.Fprintln(stdout, versionText)
		return exitOK
	case len(words) == 0:
		_, _ = fmt.Fprintln(stderr, noCommand)
		return exitFailure
	}
	err = ctl(config, words[0], words[1:], stdout)
	if errors.Is(err, syscall.EPIPE) {
		return exitFailure // whoever reads has gone, and would not read that either
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailure
	}
	return exitOK
}

func ctl(config, command string, args []string, stdout io.Writer) error {
	c, err := dial(config)
	if err != nil {
		return err
	}
	defer c.close()
	if command == "monitor" {
		return c.monitor(args, stdout)
	}
	sub, known := subcommands[command]
	if !known {
		return unknownCommand
	}
	if sub.command.NeedsNames() && len(args) == 0 {
		return noNames
	}
	answers, err := c.ask(ggaoed.Request{Command: sub.command, Names: args})
	if err != nil || sub.show == nil {
		return err
	}
	_, err = io.WriteString(stdout, sub.show(answers))
	return err
}

// client is a connection to a daemon.
type client struct {
	*net.UnixConn
	path string // its own
}

// dial finds the control socket in the configuration file and says hello.
func dial(config string) (*client, error) {
	file, err := readFile(config, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", notLoaded, err)
	}
	dir, _ := os.Getwd()
	path, err := ggaoed.ControlSocket(config, file, ggaoed.Env{Dir: dir})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", notLoaded, err)
	}
	path = cmp.Or(path, ggaoed.DefaultControlSocket)
	// Answers come to a socket beside the daemon's, which only its user may write to.
	own := path + "." + strconv.Itoa(os.Getpid())
	_ = os.Remove(own)
	conn, err := net.DialUnix("unixgram", &net.UnixAddr{Name: own, Net: "unixgram"}, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		_ = os.Remove(own)
		var errno syscall.Errno
		if errors.As(err, &errno) {
			return nil, fmt.Errorf("connect(): %s", text.Strerror(errno))
		}
		return nil, fmt.Errorf("connect(): %w", err)
	}
	c := &client{conn, own}
	c.closeBySignal()
	if err := c.hello(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *client) close() {
	_ = c.Close()
	_ = os.Remove(c.path)
}

// closeBySignal has the process end by a signal as it would anyway, but without
// its socket. Who reads its output may go: that is an error of writing.
func (c *client) closeBySignal() {
	signal.Ignore(syscall.SIGPIPE)
	ends := daemon.NotifyEnds(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s := <-ends
		c.close()
		daemon.EndBy(s.(syscall.Signal))
	}()
}

func (c *client) hello() error {
	if _, err := c.Write(ggaoed.Request{Command: ggaoed.Hello}.Datagram()); err != nil {
		return err
	}
	a, err := c.receive()
	if err != nil {
		return err
	}
	if a != ggaoed.Answer(ggaoed.Greeting) {
		return unknownHello
	}
	return nil
}

// ask sends a request and returns what comes before OK.
func (c *client) ask(r ggaoed.Request) (answers []ggaoed.Answer, err error) {
	if _, err := c.Write(r.Datagram()); err != nil {
		return nil, err
	}
	for {
		a, err := c.receive()
		if err != nil {
			return nil, err
		}
		if _, last := a.(ggaoed.OKAnswer); last {
			return answers, nil
		}
		answers = append(answers, a)
	}
}

func (c *client) receive() (ggaoed.Answer, error) {
	_ = c.SetReadDeadline(time.Now().Add(answerPatience))
	b := make([]byte, ggaoed.MaxDatagram)
	n, err := c.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("the daemon does not answer within %s", answerPatience)
	}
	if err != nil {
		return nil, err
	}
	return ggaoed.ParseAnswer(b[:n])
}

// monitor shows samples until a signal ends it.
func (c *client) monitor(args []string, stdout io.Writer) error {
	interval := 1.0
	if len(args) > 0 {
		if n, err := strconv.ParseFloat(args[0], 64); err == nil {
			if n < 0.01 || n > 1e6 || n != n {
				return fmt.Errorf("interval %s: want 0.01 to 1000000 seconds", args[0])
			}
			interval, args = n, args[1:]
		}
	}
	tick := time.NewTicker(time.Duration(interval * float64(time.Second)))
	defer tick.Stop()
	for before := (ggaoed.Sample{}); ; {
		answers, err := c.ask(ggaoed.Request{Command: ggaoed.GetStats, Names: args})
		if err != nil {
			return err
		}
		now := ggaoed.NewSample(answers)
		if _, err := io.WriteString(stdout, ggaoed.MonitorText(before, now, args)); err != nil {
			return err
		}
		before = now
		<-tick.C
	}
}
