package fusectl

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mountPoint is a folder that is ready to be mounted over.
type mountPoint struct {
	dir     string   // absolute and without symbolic links
	created []string // folders made for it, outermost first
}

// prepare makes dir ready: it creates what is missing of it, detaches dead
// mounts of ours, and refuses one that hangs, and what it holds unless that may be
// hidden.
func prepare(dir string, nonEmpty bool) (mountPoint, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return mountPoint{}, fmt.Errorf("mount point %q: %w", dir, err)
	}
	if err := mustAnswer(abs); err != nil {
		return mountPoint{}, err
	}
	created, err := create(abs)
	p := mountPoint{dir: abs, created: created}
	if err == nil {
		p.dir, err = resolve(abs)
	}
	if err == nil {
		err = clearDead(p.dir)
	}
	if err == nil && !nonEmpty {
		err = p.refuseContents()
	}
	if err != nil {
		return mountPoint{}, errors.Join(err, p.discard())
	}
	return p, nil
}

// refuseContents refuses a folder that holds something: what is mounted over it
// hides it, and what looks like a command there was written before the tree was
// mounted, and is lost.
func (p mountPoint) refuseContents() error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("mount point: %w", err)
	}
	if len(entries) == 0 {
		return nil
	}
	return fmt.Errorf("mount point %s: %w: it holds %s, which the control tree would hide: remove that, choose another "+
		"folder, or say -nonempty", p.dir, unix.ENOTEMPTY, entries[0].Name())
}

// discard removes the folders that create made, unless they are in use.
func (p mountPoint) discard() error {
	for i := len(p.created) - 1; i >= 0; i-- {
		err := os.Remove(p.created[i])
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EBUSY) {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the mount point: %w", err)
		}
	}
	return nil
}

// create makes dir and its missing parents and returns what it made.
func create(dir string) ([]string, error) {
	var created []string
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return nil, nil // there, or a dead mount: resolve and clearDead see
	}
	if parent := filepath.Dir(dir); parent != dir {
		var err error
		if created, err = create(parent); err != nil {
			return created, err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return created, fmt.Errorf("create the mount point: %w", err)
	}
	return append(created, dir), nil
}

// resolve follows symbolic links, but does not touch dir itself if it is a
// mount, which may be dead.
func resolve(dir string) (string, error) {
	info, err := os.Lstat(dir)
	if err == nil && info.Mode()&os.ModeSymlink != 0 {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil && !errors.Is(err, unix.ENOTCONN) {
			return "", fmt.Errorf("mount point: %w", err)
		}
		if err == nil {
			return real, nil
		}
		link, err := os.Readlink(dir)
		if err != nil {
			return "", fmt.Errorf("mount point: %w", err)
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(dir), link)
		}
		dir = link
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(dir))
	if err != nil {
		return "", fmt.Errorf("mount point: %w", err)
	}
	return filepath.Join(parent, filepath.Base(dir)), nil
}

// clearDead detaches mounts of ours at dir whose daemon is gone, which answer
// ENOTCONN, and refuses dir if it is no folder or a living mount of ours.
func clearDead(dir string) error {
	for range 64 { // mounts may be stacked
		info, err := os.Stat(dir)
		kind, mounted, tableErr := mountedType(dir)
		if err == nil && dead(dir) {
			err = unix.ENOTCONN
		}
		switch {
		case tableErr != nil:
			return tableErr
		case errors.Is(err, unix.ENOTCONN) && mounted && kind == fsType:
			if err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
				return fmt.Errorf("detach the dead mount at %s: %w", dir, err)
			}
		case err != nil:
			return fmt.Errorf("mount point: %w", err)
		case !info.IsDir():
			return fmt.Errorf("mount point %s: %w", dir, unix.ENOTDIR)
		case mounted && kind == fsType:
			return fmt.Errorf("mount point %s: a running vbladefs serves it (%w): stop that one or choose another folder",
				dir, unix.EBUSY)
		default:
			return nil
		}
	}
	return fmt.Errorf("mount point %s: too many dead mounts on top of each other: umount %s", dir, dir)
}

// dead is whether the daemon behind the mount at dir is gone. The kernel asks for
// this each time, and not for what it remembers of the folder.
func dead(dir string) bool {
	return errors.Is(unix.Statfs(dir, &unix.Statfs_t{}), unix.ENOTCONN)
}

// mountedType is the filesystem type of the topmost mount at dir itself.
func mountedType(dir string) (kind string, mounted bool, err error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", false, fmt.Errorf("list of mounts: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if point, fs, ok := parseMountInfo(lines.Text()); ok && point == dir {
			kind, mounted = fs, true // later lines are mounted on top
		}
	}
	return kind, mounted, lines.Err()
}

// parseMountInfo reads a line of /proc/self/mountinfo: its fifth word is the
// mount point, the word after "-" the type; see proc_pid_mountinfo(5).
func parseMountInfo(line string) (point, kind string, ok bool) {
	before, after, found := strings.Cut(line, " - ")
	words := strings.Fields(before)
	kind, _, _ = strings.Cut(after, " ")
	if !found || len(words) < 6 || kind == "" {
		return "", "", false
	}
	return unescape(words[4]), kind, true
}

// unescape undoes the octal escapes of blanks and backslashes in mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
