package disk

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestClaim opens what is open already.
func TestClaim(t *testing.T) {
	for _, place := range []string{"file", "tmpfs", "loop"} {
		t.Run(place, func(t *testing.T) {
			path, _ := places[place](t, 8192)
			first := open(t, path, Options{})
			_, err := Open(path, Options{})
			wantErrno(t, err, unix.EBUSY)
			_, err = Open(path, Options{Access: Auto, Policy: Direct})
			wantErrno(t, err, unix.EBUSY)
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "end what uses it") {
				t.Errorf("%q names neither the path nor the remedy", err)
			}
			open(t, path, Options{Force: true}).Close()
			first.Close()
			open(t, path, Options{})
		})
	}
}

// TestClaimShared lets readers of a file in together, and keeps writers off them.
func TestClaimShared(t *testing.T) {
	path, _ := image(t, "", 8192)
	open(t, path, Options{Access: ReadOnly})
	open(t, path, Options{Access: ReadOnly})
	_, err := Open(path, Options{})
	wantErrno(t, err, unix.EBUSY)
}

// TestClaimOfAnotherProcess meets a file that another program has locked.
func TestClaimOfAnotherProcess(t *testing.T) {
	path, _ := image(t, "", 8192)
	_, err := exec.LookPath("flock")
	need(t, err == nil, "flock")
	holder := exec.Command("flock", path, "sh", "-c", "echo held; read line")
	stdin, _ := holder.StdinPipe()
	stdout, _ := holder.StdoutPipe()
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	var held [5]byte
	if _, err := stdout.Read(held[:]); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Options{})
	stdin.Close()
	holder.Wait()
	wantErrno(t, err, unix.EBUSY)
	open(t, path, Options{})
}

func TestClaimOfMountedDevice(t *testing.T) { onEachQueue(t, testClaimOfMountedDevice) }

func testClaimOfMountedDevice(t *testing.T, newQueue queueMaker) {
	needRoot(t)
	device, _ := mounted(t, 8<<20)
	for _, access := range []Access{ReadWrite, ReadOnly, Auto} {
		_, err := Open(device, Options{Access: access})
		wantErrno(t, err, unix.EBUSY)
	}
	s := open(t, device, Options{Access: ReadOnly, Force: true})
	data := make([]byte, 1024)
	if err := do(t, newQueue(t), s, Read, data, 1024); err != nil {
		t.Fatal(err)
	}
	if data[0x38] != 0x53 || data[0x39] != 0xef {
		t.Error("the ext4 magic number is not where it belongs")
	}
}

func TestReadOnly(t *testing.T) { onEachQueue(t, testReadOnly) }

func testReadOnly(t *testing.T, newQueue queueMaker) {
	for name, place := range map[string]func(t *testing.T) (path string, content []byte){
		"loop device": func(t *testing.T) (string, []byte) {
			file, content := image(t, "", 8192)
			return loopDevice(t, file, "-r"), content
		},
		"file system": func(t *testing.T) (string, []byte) {
			needRoot(t)
			_, dir := mounted(t, 8<<20)
			path, content := image(t, dir, 8192)
			run(t, "mount", "-o", "remount,ro", dir)
			return path, content
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, content := place(t)
			_, err := Open(path, Options{})
			wantErrno(t, err, unix.EROFS)
			q := newQueue(t)
			for policy := Writeback; policy <= Durable; policy++ {
				s := open(t, path, Options{Access: Auto, Policy: policy})
				if !s.ReadOnly() {
					t.Error("the store calls itself writable")
				}
				readOnlyRequests(t, q, s, content)
				s.Close()
			}
		})
	}
}

// readOnlyRequests checks that reads work and that writes are refused, inline and submitted.
func readOnlyRequests(t *testing.T, q Queue, s *Store, content []byte) {
	t.Helper()
	data := make([]byte, 4096)
	if err := do(t, q, s, Read, data, 4096); err != nil {
		t.Fatal(err)
	}
	wantSame(t, data, content[4096:])
	if err := do(t, q, s, Flush, nil, 0); err != nil {
		t.Errorf("flush: %v", err)
	}
	for _, op := range []Op{Write, WriteDurable} {
		done, err := q.Try(s, op, data, 0)
		if !done || err != unix.EROFS {
			t.Errorf("Try of a write: done %v, %v", done, err)
		}
		q.Submit(s, op, data, 0, 1)
		if err := reapAll(t, q, 1)[1]; err != unix.EROFS {
			t.Errorf("Submit of a write: %v", err)
		}
	}
}

// TestReadOnlyByChoice does not write although it could.
func TestReadOnlyByChoice(t *testing.T) { onEachQueue(t, testReadOnlyByChoice) }

func testReadOnlyByChoice(t *testing.T, newQueue queueMaker) {
	path, content := image(t, "", 8192)
	readOnlyRequests(t, newQueue(t), open(t, path, Options{Access: ReadOnly}), content)
}

func TestAutoIsWritable(t *testing.T) {
	path, _ := image(t, "", 8192)
	if open(t, path, Options{Access: Auto}).ReadOnly() {
		t.Error("a writable file was opened read-only")
	}
}

func TestIdentify(t *testing.T) {
	file, _ := image(t, "", 8192)
	dir := filepath.Dir(file)
	link, hard := filepath.Join(dir, "link"), filepath.Join(dir, "hard")
	if os.Symlink(file, link) != nil || os.Link(file, hard) != nil {
		t.Fatal("cannot make links")
	}
	key, err := Identify(file)
	if err != nil || !strings.HasPrefix(key, "file ") {
		t.Fatalf("%q, %v", key, err)
	}
	for _, path := range []string{link, hard} {
		if other, err := Identify(path); other != key || err != nil {
			t.Errorf("%s is %q, want %q; %v", path, other, key, err)
		}
	}
	_, err = Identify(dir)
	wantErrno(t, err, unix.EISDIR)
	_, err = Identify(filepath.Join(dir, "missing"))
	wantErrno(t, err, unix.ENOENT)
	_, err = Identify("/dev/null")
	wantErrno(t, err, unix.ENOTBLK)

	device := loopDevice(t, file)
	key, err = Identify(device)
	want := "block " + strings.Join(strings.Fields(run(t, "lsblk", "-dno", "MAJ:MIN", device)), "")
	if err != nil || key != want {
		t.Errorf("%s is %q, want %q; %v", device, key, want, err)
	}
	major, minor := open(t, device, Options{}).Device()
	if major != 7 || device != "/dev/loop"+itoa(minor) {
		t.Errorf("device numbers of %s are %d:%d", device, major, minor)
	}
}

// TestOpenLeaksNothing counts descriptors over opens that fail at every step.
func TestOpenLeaksNothing(t *testing.T) {
	file, _ := image(t, "", 8192)
	short, _ := image(t, "", 511)
	readOnly := loopDevice(t, file, "-r")
	held := open(t, file, Options{})
	before := descriptors(t)
	for _, path := range []string{file, short, readOnly, "/dev/null", t.TempDir()} {
		if s, err := Open(path, Options{Policy: Direct}); err == nil {
			s.Close()
			t.Errorf("%s was opened", path)
		}
	}
	held.Close()
	open(t, file, Options{Policy: Direct}).Close()
	if after := descriptors(t); after != before-1 {
		t.Errorf("%d descriptors are open, want %d", after, before-1)
	}
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
