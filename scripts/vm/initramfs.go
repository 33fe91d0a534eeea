package vm

import (
	"bytes"
	"debug/elf"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed init.sh
var initScript []byte

// tool is a program of this machine and the Debian package that has it.
type tool struct{ name, debianPackage string }

// hostTools are copied from this machine into the guest.
var hostTools = []tool{
	{"bash", "bash"}, // aoe-stat is a bash script
	{"mkfs.ext4", "e2fsprogs"},
	{"e2fsck", "e2fsprogs"},
	{"resize2fs", "e2fsprogs"},
	{"aoe-discover", "aoetools"},
	{"aoe-flush", "aoetools"},
	{"aoe-interfaces", "aoetools"},
	{"aoe-revalidate", "aoetools"},
	{"aoe-stat", "aoetools"},
	{"aoe-version", "aoetools"},
	{"aoe-sancheck", "aoetools"},
	{"aoeping", "aoetools"},
	{"aoecfg", "aoetools"},
}

// libraryDirs are searched for shared libraries; the guest's loader knows the same ones.
var libraryDirs = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}

// writeInitramfs writes the guest's whole file system. It is not compressed: the emulated processor would spend longer
// unpacking it than QEMU spends copying it.
func writeInitramfs(w io.Writer, k *kernel, programs []string) error {
	a := newArchive(w)
	for _, dir := range []string{"/proc", "/sys", "/dev", "/tmp", "/mnt", "/var/log", "/etc"} {
		a.dir(dir)
	}
	a.charDev("/dev/console", 5, 1)
	a.file("/init", 0o755, initScript)
	a.symlink("/etc/mtab", "/proc/mounts")
	if err := errors.Join(addModules(a, k, "/modules", k.modules), addModules(a, k, "/modules/more", k.more)); err != nil {
		return err
	}
	tools := hostTools
	for _, name := range programs {
		tools = append(tools[:len(tools):len(tools)], tool{name, name})
	}
	for _, tool := range tools {
		if err := addProgram(a, tool); err != nil {
			return err
		}
	}
	if err := addBusybox(a); err != nil {
		return err
	}
	return a.close()
}

// addModules adds modules below dir, with names that sort in the order of the list.
func addModules(a *archive, k *kernel, dir string, names []string) error {
	for i, name := range names {
		content, err := os.ReadFile(k.module(name))
		if err != nil {
			return err
		}
		a.file(fmt.Sprintf("%s/%02d-%s.ko", dir, i, name), 0o644, content)
	}
	return nil
}

// addBusybox adds it under every name it answers to. Directories of the host's tools come first in the guest's PATH.
func addBusybox(a *archive) error {
	path, err := hostProgram(tool{"busybox", "busybox-static"})
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if interpreter, libraries, _, err := dynamic(content); err != nil || interpreter != "" || len(libraries) > 0 {
		return errors.Join(fmt.Errorf("%s is not static: install busybox-static", path), err)
	}
	applets, err := exec.Command(path, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", path, err)
	}
	a.file("/bin/busybox", 0o755, content)
	for _, applet := range strings.Fields(string(applets)) {
		a.symlink("/bin/"+applet, "busybox")
	}
	return nil
}

// addProgram adds a script or an executable with its loader and libraries, all to where the host has them.
func addProgram(a *archive, program tool) error {
	path, err := hostProgram(program)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if program.name == "bash" {
		path = "/bin/bash" // where scripts look for it
	}
	a.file(path, 0o755, content)
	if !bytes.HasPrefix(content, []byte(elf.ELFMAG)) {
		return nil
	}
	return addLibraries(a, path, content)
}

func addLibraries(a *archive, user string, content []byte) error {
	interpreter, libraries, own, err := dynamic(content)
	if err != nil {
		return fmt.Errorf("%s: %w", user, err)
	}
	if interpreter != "" {
		loader, err := os.ReadFile(interpreter)
		if err != nil {
			return err
		}
		a.file(interpreter, 0o755, loader)
	}
	for _, library := range libraries {
		path, content, err := readLibrary(library, own)
		if err != nil {
			return fmt.Errorf("%s: %w", user, err)
		}
		if a.have[path] {
			continue
		}
		a.file(path, 0o755, content)
		if err := addLibraries(a, path, content); err != nil {
			return err
		}
	}
	return nil
}

// dynamic reads from an executable or library what ld.so(8) would: the loader's path, the names of needed libraries, and
// the directories of its own where they are looked for first.
func dynamic(content []byte) (interpreter string, libraries, own []string, err error) {
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return "", nil, nil, err
	}
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP {
			path, err := io.ReadAll(program.Open())
			if err != nil {
				return "", nil, nil, err
			}
			interpreter = strings.TrimRight(string(path), "\x00")
		}
	}
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		paths, err := file.DynString(tag)
		if err != nil {
			continue // a static program has none
		}
		for _, path := range paths {
			own = append(own, filepath.SplitList(path)...)
		}
	}
	libraries, err = file.ImportedLibraries()
	return interpreter, libraries, own, err
}

func readLibrary(name string, own []string) (path string, content []byte, err error) {
	for _, dir := range append(own[:len(own):len(own)], libraryDirs...) {
		path := filepath.Join(dir, name)
		if content, err := os.ReadFile(path); err == nil {
			return path, content, nil
		}
	}
	return "", nil, fmt.Errorf("shared library %s is in none of %s", name, strings.Join(libraryDirs, " "))
}

// hostProgram finds a program even where PATH lacks the administrator's directories.
func hostProgram(program tool) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/bin", "/sbin", "/bin") {
		path := filepath.Join(dir, program.name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program %s: install it with scripts/setup.sh %s", program.name, program.debianPackage)
}
