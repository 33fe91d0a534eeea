package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

// What takes much memory is allowed, and said.
func TestMemoryWarning(t *testing.T) {
	for line, want := range map[string]string{
		"/x":                "",
		"-requests 2048 /x": "",
		"-workers 4 /x":     "each interface takes up to 80 MiB: 20 MiB for each worker",
		"-ring 1g /x":       "each interface takes up to 1040 MiB",
	} {
		o, err := parseServe(strings.Fields(line), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		log := logrus.New()
		log.SetOutput(&said)
		o.warn(log)
		if memory := strings.Contains(said.String(), "each interface takes"); memory != (want != "") || !strings.Contains(said.String(), want) {
			t.Errorf("serve %s says %q, want %q", line, said.String(), want)
		}
	}
}
