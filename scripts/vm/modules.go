package vm

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// wantedModules are loaded in this order, each after what it depends on. crc32c_generic is a "softdep" of jbd2 and ext4:
// asked for by a crypto name at run time, so no dependency names it. aoe is not here but in aoeModule: it is loaded
// last, when eth0 is up, because loading it sends the first discovery query.
var wantedModules = []string{"virtio_pci", "virtio_console", "virtio_net", "crc32c_generic", "ext4"}

const aoeModule = "aoe"

// moreModules lie in the guest's /modules/more, with what they depend on, numbered in the order to load them: for scripts that
// want them.
var moreModules = []string{"raid1"}

// moduleTree is a /lib/modules/VERSION directory without modules.dep: an unpacked kernel package has none.
type moduleTree struct {
	files   map[string]string // module name to path
	builtin map[string]bool
}

// openModuleTree indexes the modules below dir by their name.
func openModuleTree(dir string) (*moduleTree, error) {
	tree := &moduleTree{files: map[string]string{}, builtin: map[string]bool{}}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.Contains(entry.Name(), ".ko") {
			tree.files[moduleName(path)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	for line := range strings.Lines(string(list)) {
		tree.builtin[moduleName(strings.TrimSpace(line))] = true
	}
	return tree, err
}

// moduleName gives the name the kernel uses: file names may have - where the kernel has _.
func moduleName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// module is one loadable module, decompressed.
type module struct {
	name    string
	content []byte
}

// resolve returns the named modules and all they depend on, dependencies first, each once.
// What is built into the kernel is left out.
func (t *moduleTree) resolve(names ...string) ([]module, error) {
	var list []module
	seen := map[string]bool{}
	var visit func(name, neededBy string) error
	visit = func(name, neededBy string) error {
		if seen[name] || t.builtin[name] {
			return nil
		}
		seen[name] = true
		path, ok := t.files[name]
		if !ok {
			return fmt.Errorf("kernel module %s (needed by %s) is not in the kernel package", name, neededBy)
		}
		content, err := readModule(path)
		if err != nil {
			return err
		}
		depends, err := moduleDepends(content)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, dependency := range depends {
			if err := visit(dependency, name); err != nil {
				return err
			}
		}
		list = append(list, module{name, content})
		return nil
	}
	for _, name := range names {
		if err := visit(name, "the guest"); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// readModule reads a module, decompressing .ko.xz (Debian 13 and later).
func readModule(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(path, ".xz") {
		return content, err
	}
	if content, err = unxz(content); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return content, nil
}

// moduleDepends reads the "depends=a,b" entry of a module's .modinfo section, as depmod does.
func moduleDepends(content []byte) ([]string, error) {
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	section := file.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no .modinfo section: not a kernel module")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for entry := range strings.SplitSeq(string(info), "\x00") {
		if value, ok := strings.CutPrefix(entry, "depends="); ok && value != "" {
			names := strings.Split(value, ",")
			for i, name := range names {
				names[i] = moduleName(name)
			}
			return names, nil
		}
	}
	return nil, nil
}
