package disk

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk/disktest"
)

// A store that was opened read-only takes writes after SetWritable, whatever its policy, on every queue, and keeps others
// off as one that was opened for writing does.
func TestSetWritable(t *testing.T) { onEachQueue(t, testSetWritable) }

func testSetWritable(t *testing.T, newQueue queueMaker) {
	for _, policy := range []Policy{Writeback, Direct, Durable} {
		path, content := image(t, "", 16384)
		s := open(t, path, Options{Access: Auto, Policy: policy})
		s.Close()
		s = open(t, path, Options{Access: ReadOnly, Policy: policy})
		q := newQueue(t)
		readOnlyRequests(t, q, s, content[:8192])
		other := open(t, path, Options{Access: ReadOnly})
		wantErrno(t, s.SetWritable(), unix.EBUSY)
		readOnlyRequests(t, q, s, content[:8192])
		_, err := Open(path, Options{})
		wantErrno(t, err, unix.EBUSY) // the claim is still there
		other.Close()
		for range 2 { // a second time there is nothing to do
			if err := s.SetWritable(); err != nil || s.ReadOnly() {
				t.Fatalf("read-only %v, %v", s.ReadOnly(), err)
			}
		}
		wantWritten(t, q, s, path)
		_, err = Open(path, Options{Access: ReadOnly})
		wantErrno(t, err, unix.EBUSY)
		s.Close()
		open(t, path, Options{}).Close()
	}
}

// wantWritten checks that writes reach the medium, and that there is a flush again.
func wantWritten(t *testing.T, q Queue, s *Store, path string) {
	t.Helper()
	data := randomBytes(4096)
	for i, op := range []Op{Write, WriteDurable} {
		if err := do(t, q, s, op, data, int64(4096*i)); err != nil {
			t.Fatalf("%s, %v: %v", path, s.Policy(), err)
		}
	}
	if err := do(t, q, s, Flush, nil, 0); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, got[:4096], data)
	wantSame(t, got[4096:8192], data)
}

// A block device that the kernel holds read-only stays so until it lets go; the claim never does.
func TestSetWritableOfBlockDevice(t *testing.T) { onEachQueue(t, testSetWritableOfBlockDevice) }

func testSetWritableOfBlockDevice(t *testing.T, newQueue queueMaker) {
	file, content := image(t, "", 1<<20)
	device := loopDevice(t, file)
	run(t, "blockdev", "--setro", device)
	t.Cleanup(func() { run(t, "blockdev", "--setrw", device) }) // or the next user of it finds it so
	s := open(t, device, Options{Access: Auto, Policy: Direct})
	q := newQueue(t)
	readOnlyRequests(t, q, s, content[:8192])
	wantErrno(t, s.SetWritable(), unix.EROFS)
	readOnlyRequests(t, q, s, content[:8192])
	run(t, "blockdev", "--setrw", device)
	if err := s.SetWritable(); err != nil {
		t.Fatal(err)
	}
	wantWritten(t, q, s, device)
	_, err := Open(device, Options{Access: ReadOnly})
	wantErrno(t, err, unix.EBUSY)
	s.Close()
	open(t, device, Options{}).Close()
}

// Whoever asks for the size or flushes while the descriptors are replaced finds them.
func TestSetWritableWhileOthersAsk(t *testing.T) {
	path, content := image(t, "", 8192)
	for range 50 {
		s := open(t, path, Options{Access: ReadOnly, Policy: Direct})
		stop, stopped := make(chan struct{}), make(chan error)
		go func() {
			for {
				if size, err := s.Refresh(); err != nil || size != int64(len(content)) {
					stopped <- err
					return
				}
				select {
				case <-stop:
					stopped <- s.Flush()
					return
				default:
				}
			}
		}()
		if err := s.SetWritable(); err != nil {
			t.Fatal(err)
		}
		close(stop)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}

// While a disk hangs that is opened for writing, its note and its claim can be had: a daemon that hands it over asks for
// them, and holds everything meanwhile.
func TestSetWritableThatHangs(t *testing.T) {
	disk := fuseDisk(t)
	s := open(t, disk.Path(), Options{Access: ReadOnly})
	disk.Stall(disktest.Open)
	t.Cleanup(disk.Heal)
	result := make(chan error, 1)
	go func() { result <- s.SetWritable() }()
	for end := time.Now().Add(time.Minute); disk.Waiting() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the disk is not opened again")
		}
	}
	asked := make(chan int, 1)
	go func() {
		_ = s.Note()
		asked <- s.Claim()
	}()
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Error("who asks for the claim waits for the disk")
	}
	disk.Heal()
	if err := <-result; err != nil || s.ReadOnly() {
		t.Errorf("read-only %v, %v", s.ReadOnly(), err)
	}
}
