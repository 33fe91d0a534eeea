package disk

import "golang.org/x/sys/unix"

// whereabouts are what has become of a file since it was opened. A descriptor outlives its path, so requests go on as
// before; but whoever opens the path next finds something else, or nothing.
type whereabouts uint32

const (
	inPlace whereabouts = iota
	removed             // no folder has it any more
	moved               // its path leads nowhere
	swapped             // its path leads to something else
)

// whereaboutsNotes are what Note says of them.
var whereaboutsNotes = [...]string{
	removed: "its file was removed: it is served as long as it is open, and then lost",
	moved:   "its file is not at its path any more, but renamed or moved: it is served as long as it is open, and not found at the next start",
	swapped: "its path leads to another file now: the one that was opened is served as long as it is open, and the other from the next start on",
}

// lookAtFile asks for the size of a file, and where it is.
func (s *Store) lookAtFile() (sizeBytes int64, at whereabouts, err error) {
	var open unix.Stat_t
	if err := unix.Fstat(s.fd, &open); err != nil {
		return 0, inPlace, err
	}
	if open.Nlink == 0 {
		return open.Size, removed, nil
	}
	return open.Size, s.whereIs(&open), nil
}

// whereIs asks where the path leads now. An error that says nothing of that, such as of a folder that may not be searched,
// is no news.
func (s *Store) whereIs(open *unix.Stat_t) whereabouts {
	var named unix.Stat_t
	err := ignoringEINTR(func() error { return unix.Stat(s.path, &named) })
	switch {
	case err == unix.ENOENT, err == unix.ENOTDIR:
		return moved
	case err == nil && (named.Dev != open.Dev || named.Ino != open.Ino):
		return swapped
	}
	return inPlace
}

func fileSizeBytes(fd int) (int64, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return st.Size, err
}
