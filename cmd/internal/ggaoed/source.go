package ggaoed

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"vbladefs/compat/ggaoed"
	"vbladefs/netio"
)

// source is the configuration file and what it may refer to on this machine.
type source struct {
	file string
	dir  string // where relative paths of the file begin; empty: /
}

// maxConfig is more than any configuration that means something, in bytes.
const maxConfig = 1 << 20

func (s source) load() (ggaoed.Config, []ggaoed.Warning, error) {
	text, err := readFile(s.file, maxConfig)
	if err != nil {
		return ggaoed.Config{}, nil, fmt.Errorf("%w: %w", notLoaded, err)
	}
	ethers, _ := readFile("/etc/ethers", maxConfig) // most machines have none
	return ggaoed.Parse(s.file, text, ggaoed.Env{Dir: s.dir, Ethers: ggaoed.ParseEthers(ethers).Host, UUID: byUUID, Folder: writable})
}

// readFile reads a file of at most so many bytes.
func readFile(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: want a regular file", path)
	}
	if err == nil && info.Size() > most {
		err = fmt.Errorf("%s has %d bytes: want at most %d", path, info.Size(), most)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// byUUID finds the device with a file system or volume of that UUID, by the links
// that udev makes.
func byUUID(uuid string) (string, error) {
	const folder = "/dev/disk/by-uuid"
	path, err := filepath.EvalSymlinks(filepath.Join(folder, uuid))
	if err != nil {
		return "", fmt.Errorf("there is none with this uuid in %s; blkid lists those there are", folder)
	}
	return path, nil
}

// writable says what keeps a folder from holding the state.
func writable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return unix.ENOTDIR
	}
	return unix.Access(path, unix.W_OK|unix.X_OK)
}

// interfaces are the names of those there are.
func interfaces() ([]string, error) {
	list, err := netio.List()
	names := make([]string, len(list))
	for i, ifi := range list {
		names[i] = ifi.Name
	}
	return names, err
}
