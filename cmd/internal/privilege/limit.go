package privilege

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrCgo is what a program gets that is linked with C: its threads are not all
// known to the Go runtime, and the kernel changes one at a time.
var ErrCgo = errors.New("this program is linked with cgo: build it with CGO_ENABLED=0")

// Limit keeps no more than the capabilities of these lists, of those that there
// are, in all five sets of each thread, and lets no program that is executed gain
// any. Where not even that can be done it changes nothing.
func Limit(lists ...[]Capability) error { return limit(setOf(lists...), nil) }

// Become does what Limit does, and has the process be another user, with the groups
// of that one.
func Become(who User, lists ...[]Capability) error { return limit(setOf(lists...), &who) }

// Ambient are the numbers of the capabilities of these lists that this process has,
// for SysProcAttr.AmbientCaps: a single one that it has not (a service manager may
// keep some from it) would have the start of a program refused.
func Ambient(lists ...[]Capability) (numbers []uintptr, err error) {
	has, err := permitted()
	if err != nil {
		return nil, fmt.Errorf("asking for the capabilities: %w", err)
	}
	for _, list := range lists {
		for _, c := range list {
			if has&(1<<c) != 0 {
				numbers = append(numbers, uintptr(c))
			}
		}
	}
	return numbers, nil
}

// limit is in the order that capabilities(7) asks for: the bounding set as long as
// there is CAP_SETPCAP, the user while there is CAP_SETUID.
func limit(keep set, who *User) error {
	has, err := permitted()
	if err != nil {
		return fmt.Errorf("asking for the capabilities: %w", err)
	}
	if errno := prctl(unix.PR_SET_NO_NEW_PRIVS, 1); errno == unix.ENOTSUP {
		return ErrCgo
	} else if errno != 0 {
		return fmt.Errorf("no_new_privs: %w", errno)
	}
	if has&(1<<unix.CAP_SETPCAP) != 0 {
		if err := bound(keep); err != nil {
			return err
		}
	}
	if who != nil {
		if err := who.become(); err != nil {
			return err
		}
	}
	if errno := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL); errno != 0 && errno != unix.EINVAL {
		return fmt.Errorf("ambient capabilities: %w", errno)
	}
	if errno := capset(has & keep); errno != 0 {
		return fmt.Errorf("capabilities: %w", errno)
	}
	return nil
}

// bound leaves keep in the bounding set. The first number that the kernel does not
// know ends the list.
func bound(keep set) error {
	for c := range Capability(64) {
		if keep&(1<<c) != 0 {
			continue
		}
		switch errno := prctl(unix.PR_CAPBSET_DROP, uintptr(c)); errno {
		case 0:
		case unix.EINVAL:
			return nil
		default:
			return fmt.Errorf("the bounding set without %v: %w", c, errno)
		}
	}
	return nil
}

// prctl is prctl(2) on all threads.
func prctl(option int, value uintptr) syscall.Errno {
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, uintptr(option), value, 0, 0, 0, 0)
	return errno
}

// User is who a process can be.
type User struct {
	uid, gid int
	groups   []int
}

// LookupUser finds a user by name or number.
func LookupUser(name string) (User, error) {
	u, err := user.Lookup(name)
	if err != nil {
		var byID error
		if u, byID = user.LookupId(name); byID != nil {
			return User{}, err
		}
	}
	ids, err := u.GroupIds()
	if err != nil {
		return User{}, fmt.Errorf("the groups of user %s: %w", name, err)
	}
	var who User
	if who.uid, err = strconv.Atoi(u.Uid); err != nil {
		return who, err
	}
	if who.gid, err = strconv.Atoi(u.Gid); err != nil {
		return who, err
	}
	for _, id := range ids {
		gid, err := strconv.Atoi(id)
		if err != nil {
			return who, err
		}
		who.groups = append(who.groups, gid)
	}
	return who, nil
}

// become changes user and groups, if they differ, and keeps what is permitted.
func (u *User) become() error {
	if unix.Getuid() == u.uid && unix.Geteuid() == u.uid {
		return nil
	}
	if errno := prctl(unix.PR_SET_KEEPCAPS, 1); errno != 0 {
		return fmt.Errorf("keeping capabilities: %w", errno)
	}
	if err := syscall.Setgroups(u.groups); err != nil {
		return fmt.Errorf("the groups %v: %w", u.groups, err)
	}
	if err := syscall.Setresgid(u.gid, u.gid, u.gid); err != nil {
		return fmt.Errorf("group %d: %w", u.gid, err)
	}
	if err := syscall.Setresuid(u.uid, u.uid, u.uid); err != nil {
		return fmt.Errorf("user %d: %w", u.uid, err)
	}
	return nil
}
