package vm

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// fakeGuest answers with a fixed text in which %MARK stands for the mark it was sent, in pieces of a given length.
type fakeGuest struct {
	text  string
	piece int
	sent  bytes.Buffer
}

func (f *fakeGuest) Write(p []byte) (int, error) { return f.sent.Write(p) }

func (f *fakeGuest) Read(p []byte) (int, error) {
	if fields := strings.Fields(f.sent.String()); len(fields) > 1 {
		f.text = strings.ReplaceAll(f.text, "%MARK", fields[1])
	}
	if f.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), f.piece)], f.text)
	f.text = f.text[n:]
	return n, nil
}

func TestConverse(t *testing.T) {
	tests := []struct {
		name, answer, output string
		status               int
		fails                bool
	}{
		{name: "plain", answer: "%MARK\nhello\n\n%MARK 3\n", output: "hello\n", status: 3},
		{name: "no output", answer: "%MARK\n\n%MARK 0\n"},
		{name: "rest of an earlier script", answer: "old\n\nOLDMARK 1\n%MARK\nnew\n%MARK 0\n", output: "new"},
		{name: "looks like the end", answer: "%MARK\n\n\n\n%MAR\n\n%MARK 0\n", output: "\n\n\n%MAR\n"},
		{name: "ends early", answer: "%MARK\nhel\n", output: "hel\n", fails: true},
		{name: "status is no number", answer: "%MARK\n\n%MARK x\n", fails: true},
		{name: "status too large", answer: "%MARK\n\n%MARK 256\n", fails: true},
		{name: "silent", answer: "", fails: true},
	}
	for _, test := range tests {
		for _, piece := range []int{1, 2, 7, 1000} {
			t.Run(test.name, func(t *testing.T) {
				var out bytes.Buffer
				guest := &fakeGuest{text: test.answer, piece: piece}
				status, err := converse(guest, "a script", &out)
				if status != test.status || out.String() != test.output || (err != nil) != test.fails {
					t.Fatalf("pieces of %d: status %d, output %q, error %v", piece, status, out.String(), err)
				}
				if !strings.HasSuffix(guest.sent.String(), " 9\na script\n") {
					t.Fatalf("sent %q", guest.sent.String())
				}
			})
		}
	}
}

func TestReadReady(t *testing.T) {
	if err := readReady(strings.NewReader("ready\n")); err != nil {
		t.Fatal(err)
	}
	if err := readReady(strings.NewReader("rea")); !errors.Is(err, errGuestGone) {
		t.Fatalf("cut off: %v", err)
	}
	if err := readReady(strings.NewReader("hello\n")); err == nil {
		t.Fatal("another greeting is taken")
	}
}

// FuzzAnswer: whatever the guest prints, and in whatever pieces it arrives, is the output.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("hello\n"), []byte("junk"), uint8(1))
	f.Add([]byte("\nM\n\nM"), []byte("M"), uint8(2))
	f.Fuzz(func(t *testing.T, output, before []byte, piece uint8) {
		const mark = "MARK7"
		if bytes.Contains(output, []byte(mark)) || bytes.Contains(before, []byte(mark)) {
			t.Skip("a random mark is in no output")
		}
		text := append(append(bytes.Clone(before), (mark+"\n")...), output...)
		text = append(text, ("\n" + mark + " 17\n")...)
		var out bytes.Buffer
		a := answer{begin: []byte(mark + "\n"), end: []byte("\n" + mark + " "), out: &out}
		step := max(1, int(piece))
		for at := 0; at < len(text); at += step {
			end := min(len(text), at+step)
			if done := a.feed(text[at:end]); done != (end == len(text)) {
				t.Fatalf("complete: %v after %d of %d bytes", done, end, len(text))
			}
		}
		if status, err := a.status(); status != 17 || err != nil || !bytes.Equal(out.Bytes(), output) {
			t.Fatalf("status %d, error %v, output %q, not %q", status, err, out.Bytes(), output)
		}
	})
}
