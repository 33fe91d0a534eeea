package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is where a run took place.
type machine struct {
	CPU        string `json:"cpu"`
	Processors int    `json:"processors"`
	Memory     uint64 `json:"memory_bytes"`
	Kernel     string `json:"kernel"`
	Arch       string `json:"arch"`
}

// String is the machine in words.
func (m machine) String() string {
	return fmt.Sprintf("%s, %d processors, Linux %s", m.CPU, m.Processors, m.Kernel)
}

func thisMachine() machine {
	m := machine{CPU: "unknown processor", Processors: runtime.NumCPU(), Arch: runtime.GOARCH}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = info.Totalram * uint64(info.Unit)
	}
	return m
}

// versions of what was measured, as far as they can be told.
type versions struct {
	Vbladefs string `json:"vbladefs"`
	Vblade   string `json:"vblade,omitempty"`
	Fio      string `json:"fio,omitempty"`
	Go       string `json:"go"`
}

func versionsOf(r *rig) versions {
	return versions{Vbladefs: strings.TrimPrefix(says(r.vbladefs, "version"), "vbladefs "), Go: runtime.Version(),
		Vblade: says("dpkg-query", "-W", "-f", "${Version}", "vblade"), Fio: says("fio", "--version")}
}

// says is what a command prints, or nothing if it fails.
func says(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
