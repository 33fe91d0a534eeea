package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"vbladefs/compat/convert"
	"vbladefs/compat/ggaoed"
	"vbladefs/compat/qaoed"
	"vbladefs/compat/vblade"
	"vbladefs/netio"
	"vbladefs/target/aoe"
)

// convertEnv is what configurations mean on this machine. Devices and interfaces
// that they name may be missing: a restored export waits for them.
func convertEnv(stateDirectory string) (convert.Env, error) {
	here, err := os.Getwd()
	if err != nil {
		return convert.Env{}, err
	}
	if stateDirectory != "" {
		if _, err := os.ReadDir(stateDirectory); err != nil {
			return convert.Env{}, err
		}
	}
	env := convert.Env{
		GGAoED:         ggaoed.Env{Ethers: ethers(), UUID: volume},
		QAoED:          qaoed.Env{Folder: here, Include: included},
		Vblade:         vblade.Env{Argv0: "vblade", Dir: "/"}, // as systemd starts it
		StateDirectory: stateDirectory,
		State:          stateFiles,
	}
	if env.Vblade.Hostname, err = os.Hostname(); err != nil {
		return env, err
	}
	netifs, err := netio.List()
	for _, netif := range netifs {
		if netif.Ethernet {
			env.Interfaces = append(env.Interfaces, netif.Name)
		}
	}
	return env, err
}

// ethers are the hosts of ethers(5), if there are any.
func ethers() func(string) (aoe.MAC, bool) {
	text, err := readLimited("/etc/ethers", maxConfiguration)
	if err != nil {
		return nil
	}
	return ggaoed.ParseEthers(text).Host
}

// volume finds a block device by what is on it, as udev knows it.
func volume(uuid string) (string, error) {
	const folder = "/dev/disk/by-uuid"
	path := filepath.Join(folder, uuid)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is none with this uuid in %s; blkid lists those there are", folder)
	}
	return path, nil // and not what it leads to, which may be called otherwise next time
}

// included are the files that an include of qaoed names.
func included(pattern string) ([]qaoed.Source, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var sources []qaoed.Source
	for _, name := range names {
		text, err := readLimited(name, maxConfiguration)
		if err != nil {
			return nil, err
		}
		sources = append(sources, qaoed.Source{Name: name, Text: text})
	}
	return sources, nil
}

// stateFiles is a state directory of ggaoed's, if it is there.
func stateFiles(dir string) fs.FS {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil
	}
	return os.DirFS(dir)
}

// readLimited reads a file, or standard input for "-", of at most so many bytes.
func readLimited(path string, most int64) ([]byte, error) {
	from := os.Stdin
	if path != "-" {
		var err error
		if from, err = os.Open(path); err != nil {
			return nil, err
		}
		defer from.Close()
	}
	text, err := io.ReadAll(io.LimitReader(from, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s: more than %d bytes", path, most)
	}
	return text, err
}
