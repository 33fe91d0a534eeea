package netiotest

import "os"

// OwnTemp has this process keep its temporary files, those of t.TempDir among them, in a folder of their own, which remove
// removes, or whoever does what is left to do if the process is killed. It is for TestMain, before anything else; anybody
// may enter the folder, as daemons that tests start may have other users.
func OwnTemp() (remove func(), err error) {
	dir, err := os.MkdirTemp("", "vd-")
	if err != nil {
		return nil, err
	}
	done := Afterwards("rm -rf --one-file-system " + dir)
	remove = func() {
		if os.RemoveAll(dir) == nil {
			done()
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		remove()
		return nil, err
	}
	if err := os.Setenv("TMPDIR", dir); err != nil {
		remove()
		return nil, err
	}
	return remove, nil
}
