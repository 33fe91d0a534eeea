package vm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func need(t *testing.T) {
	t.Helper()
	err := Missing()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func newNetwork(t *testing.T, mtu int) *Network {
	t.Helper()
	n, err := NewNetwork(mtu)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func TestGuest(t *testing.T) {
	need(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	n := newNetwork(t, 9000)
	console := filepath.Join(t.TempDir(), "console.log")
	const mac = "52:54:00:12:34:56"
	g, err := Boot(ctx, Config{Netns: n.Netns(), Tap: TapIf, MTU: 9000, MAC: mac, ConsoleLog: console})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()

	scripts := []struct {
		name, script, output string
		exit                 int
	}{
		{"output", "echo out; echo error >&2", "out\nerror\n", 0},
		{"exit code", "exit 42", "", 42},
		{"no newline at the end", "printf abc", "abc", 0},
		{"a newline that is its own", "echo", "\n", 0},
		{"nothing to read", "cat; echo rest", "rest\n", 0},
		{"quotes and dollars", `x='a "b" $c'; echo "$x"`, "a \"b\" $c\n", 0},
		{"long script", strings.Repeat("# a line that does nothing\n", 5000) + "echo end", "end\n", 0},
		{"much output", "yes 0123456 | head -c 1000000", strings.Repeat("0123456\n", 125000), 0},
		{"empty script", "", "", 0},
		{"any byte", `printf '\0\1\r\n\377'`, "\x00\x01\r\n\xff", 0},
		{"syntax error", "if", "/tmp/.script: line 2: syntax error: unexpected end of file (expecting \"then\")\n", 2},
		{"interface", "cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address", "9000\n" + mac + "\n", 0},
		{"aoe is loaded", "[ -c /dev/etherd/discover ] && aoe-discover && [ -d /sys/kernel/debug/aoe ]", "", 0},
		{"tools work", "for t in mkfs.ext4 e2fsck; do $t -V >/dev/null 2>&1 || echo $t; done", "", 0},
	}
	for _, test := range scripts {
		t.Run(test.name, func(t *testing.T) {
			output, exit, err := g.Run(ctx, test.script)
			if err != nil || exit != test.exit || output != test.output {
				t.Fatalf("exit %d, error %v, output %.200q; expected exit %d, output %.200q",
					exit, err, output, test.exit, test.output)
			}
		})
	}
	t.Run("console is kept", func(t *testing.T) {
		text, err := os.ReadFile(console)
		if err != nil || !strings.Contains(string(text), "Linux version") || !strings.Contains(string(text), "guest: ready") {
			t.Fatalf("error %v, console %q", err, text)
		}
	})
	t.Run("script too long in time", func(t *testing.T) {
		soon, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		_, _, err := g.Run(soon, "echo tired >/dev/console; sleep 1000")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "console log") {
			t.Fatalf("error %v", err)
		}
		if _, _, err := g.Run(ctx, "true"); err == nil {
			t.Fatal("a guest that is still busy took another script")
		}
	})
	dir := g.dir
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("temporary files stay: %v", err)
	}
}

func TestGuestDies(t *testing.T) {
	need(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	n := newNetwork(t, 1500)
	g, err := Boot(ctx, Config{Netns: n.Netns(), Tap: TapIf})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	output, _, err := g.Run(ctx, "echo last words; echo c >/proc/sysrq-trigger; sleep 100")
	if !errors.Is(err, errGuestGone) || !strings.Contains(err.Error(), "end of the console log") || output != "last words\n" {
		t.Errorf("output %q, error %v", output, err)
	}
	if text, err := os.ReadFile(g.ConsoleLog()); err != nil || !strings.Contains(string(text), "sysrq triggered crash") {
		t.Errorf("the console does not say why: %v\n%s", err, text)
	}
}

func TestBootFails(t *testing.T) {
	need(t)
	n := newNetwork(t, 1500)
	tests := []struct {
		name   string
		config Config
		limit  time.Duration
		says   string
	}{
		{"no such tap", Config{Netns: n.Netns(), Tap: "not-a-bridge/tap"}, time.Minute, "end of the console log"},
		{"no such namespace", Config{Netns: "/nonexistent", Tap: TapIf}, time.Minute, "/nonexistent"},
		{"MTU out of range", Config{Netns: n.Netns(), Tap: TapIf, MTU: 70000}, time.Minute, "70000"},
		{"too slow", Config{Netns: n.Netns(), Tap: TapIf}, time.Second, "deadline exceeded"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), test.limit)
			defer cancel()
			g, err := Boot(ctx, test.config)
			if err == nil {
				out, _, _ := g.Run(t.Context(), "ip link")
				g.Close()
				t.Fatalf("no error\n%s", out)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error does not say %q: %v", test.says, err)
			}
		})
	}
}
