package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelPackage is Debian's name for "the current stock kernel"; it depends on the real package.
const kernelPackage = "linux-image-amd64"

// kernelForm ends the name of a folder of the cache: another form, other files in it.
const kernelForm = "_2"

// kernel is an unpacked kernel in the cache: its image and the modules the guest loads.
type kernel struct {
	dir     string   // holds vmlinux, NAME.ko files, and the files "modules" and "more"
	modules []string // in load order, dependencies first, aoe last
	more    []string // that scripts may load, in order
}

func (k *kernel) image() string             { return filepath.Join(k.dir, "vmlinux") }
func (k *kernel) module(name string) string { return filepath.Join(k.dir, name+".ko") }

// CacheDir is where the unpacked kernel is kept between runs: $VBLADEFS_CACHE, or vbladefs below the user's cache
// directory, or below /var/cache for a user without one.
func CacheDir() string {
	if dir := os.Getenv("VBLADEFS_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = "/var/cache"
	}
	return filepath.Join(dir, "vbladefs")
}

// Prepare fetches and unpacks the current kernel if the cache lacks it, so that a later Boot is quick. It may be called by
// several processes at once: one does the work, the others wait for it.
func Prepare(ctx context.Context) error {
	_, err := prepareKernel(ctx, CacheDir())
	return err
}

func prepareKernel(ctx context.Context, cache string) (*kernel, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // releases the lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	name, version, err := currentKernel(ctx)
	if err != nil {
		return newestCached(cache, err)
	}
	dir := filepath.Join(cache, name+"_"+version+kernelForm)
	if k, err := openKernel(dir); err == nil {
		return k, nil
	}
	if err := buildKernel(ctx, cache, dir, name, version); err != nil {
		return newestCached(cache, err)
	}
	return openKernel(dir)
}

// newestCached serves a machine that cannot reach its archive now but could earlier.
func newestCached(cache string, cause error) (*kernel, error) {
	dirs, _ := filepath.Glob(filepath.Join(cache, "linux-image-*"+kernelForm))
	var newest *kernel
	var newestTime int64
	for _, dir := range dirs {
		k, err := openKernel(dir)
		if err != nil {
			continue
		}
		if info, err := os.Stat(k.image()); err == nil && info.ModTime().UnixNano() > newestTime {
			newest, newestTime = k, info.ModTime().UnixNano()
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("no kernel for the guest: %w", cause)
	}
	return newest, nil
}

// openKernel opens a complete cached kernel; one with a missing, empty or unlisted part is refused and built again.
func openKernel(dir string) (*kernel, error) {
	list, err := os.ReadFile(filepath.Join(dir, "modules"))
	if err != nil {
		return nil, err
	}
	more, err := os.ReadFile(filepath.Join(dir, "more"))
	if err != nil {
		return nil, err
	}
	k := &kernel{dir: dir, modules: strings.Fields(string(list)), more: strings.Fields(string(more))}
	parts := []string{k.image()}
	for _, name := range slices.Concat(k.modules, k.more) {
		parts = append(parts, k.module(name))
	}
	for _, part := range parts {
		if info, err := os.Stat(part); err != nil || info.Size() == 0 {
			return nil, fmt.Errorf("incomplete kernel in the cache: %s", part)
		}
	}
	if len(k.modules) == 0 || k.modules[len(k.modules)-1] != aoeModule {
		return nil, fmt.Errorf("incomplete kernel in the cache: %s/modules does not end with %s", dir, aoeModule)
	}
	return k, nil
}

var dependsLine = regexp.MustCompile(`(?m)^Depends: (linux-image-\S+) \(= (\S+)\)`)

// currentKernel asks apt for the package that kernelPackage stands for, and its version.
func currentKernel(ctx context.Context) (name, version string, err error) {
	show := func() []string {
		var out string
		out, err = output(ctx, "", "apt-cache", "show", "--no-all-versions", kernelPackage)
		return dependsLine.FindStringSubmatch(out)
	}
	match := show()
	if match == nil { // a fresh machine has no package lists yet
		if _, err := output(ctx, "", "apt-get", "update", "-qq"); err != nil {
			return "", "", err
		}
		match = show()
	}
	if match == nil {
		return "", "", errors.Join(fmt.Errorf("apt knows no package %s that depends on one kernel", kernelPackage), err)
	}
	return match[1], match[2], nil
}

// buildKernel makes dir in one step as others see it: it works beside it and renames.
func buildKernel(ctx context.Context, cache, dir, name, version string) error {
	work, err := os.MkdirTemp(cache, "tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := download(ctx, work, name, version); err != nil {
		return err
	}
	debs, _ := filepath.Glob(filepath.Join(work, "*.deb"))
	if len(debs) != 1 {
		return fmt.Errorf("apt-get download %s left %d .deb files, not one", name, len(debs))
	}
	tree := filepath.Join(work, "tree")
	if _, err := output(ctx, work, "dpkg-deb", "-x", debs[0], tree); err != nil {
		return err
	}
	ready := filepath.Join(work, "ready")
	if err := pickKernel(tree, ready); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil { // an incomplete one; we hold the lock
		return err
	}
	return os.Rename(ready, dir)
}

// download fetches the package file into dir. Lists older than a security update name a file that is gone: refresh, again.
func download(ctx context.Context, dir, name, version string) error {
	fetch := func() error {
		_, err := output(ctx, dir, "apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", name+"="+version)
		return err
	}
	if fetch() == nil {
		return nil
	}
	if _, err := output(ctx, dir, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return fetch()
}

// pickKernel copies the image and the wanted modules of an unpacked package to dir.
func pickKernel(tree, dir string) error {
	images, _ := filepath.Glob(filepath.Join(tree, "boot/vmlinuz-*"))
	moduleDirs, _ := filepath.Glob(filepath.Join(tree, "lib/modules/*"))
	if usr, _ := filepath.Glob(filepath.Join(tree, "usr/lib/modules/*")); len(moduleDirs) == 0 {
		moduleDirs = usr
	}
	if len(images) != 1 || len(moduleDirs) != 1 {
		return fmt.Errorf("kernel package holds %d images and %d module trees, not one of each", len(images), len(moduleDirs))
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	modules, err := openModuleTree(moduleDirs[0])
	if err != nil {
		return err
	}
	k := &kernel{dir: dir}
	if err := k.pickModules(modules); err != nil {
		return err
	}
	if err := unpackImageFile(images[0], k.image()); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "modules"), []byte(strings.Join(k.modules, "\n")+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "more"), []byte(strings.Join(k.more, "\n")+"\n"), 0o644))
}

// pickModules copies the modules that the guest loads, and those that its scripts may load.
func (k *kernel) pickModules(tree *moduleTree) error {
	wanted := slices.Concat(wantedModules, []string{aoeModule})
	first, err := tree.resolve(wanted...)
	if err != nil {
		return err
	}
	all, err := tree.resolve(slices.Concat(wanted, moreModules)...)
	if err != nil {
		return err
	}
	for i, m := range all {
		if i < len(first) {
			k.modules = append(k.modules, m.name)
		} else {
			k.more = append(k.more, m.name)
		}
		if err := os.WriteFile(k.module(m.name), m.content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// output runs a host command in dir and returns what it printed; the error carries the command and its complaint.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return string(out), err
}
