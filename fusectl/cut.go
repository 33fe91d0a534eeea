package fusectl

import "strings"

// maxFUSEWrite is the most that the kernel sends of a write at once. A larger
// write, and one whose memory is not page-aligned, arrives in parts.
const maxFUSEWrite = 128 << 10

// pageSize is what programs buffer before they write.
const pageSize = 4096

// cutting tells whether the last line of a write was probably cut, and so when
// it is applied though its rest does not come. Half a command must not be
// carried out: it may name another device, or every interface.
type cutting int

const (
	// whole: the write ends with a newline, or is one line.
	whole cutting = iota
	// atWill: its writer chose to write just so much, a single byte or several
	// lines and a piece. It is applied when the process that wrote it closes a
	// descriptor, because that process must learn the outcome from close(2). A
	// close by another process, such as a child that got a copy of the
	// descriptor, says nothing of what is still in the writer's buffer. A
	// writer that closes a copy of its own before it writes the rest of a line
	// is served as one that writes a line in parts: short writes end lines.
	atWill
	// bySize: where a buffer or FUSE ends a write, the writer knows as little
	// of the line as we do. It is applied when no descriptor is left.
	bySize
)

func cutOf(data string) cutting {
	switch {
	case strings.HasSuffix(data, "\n"):
		return whole
	case len(data)%pageSize == 0 || len(data) > maxFUSEWrite-pageSize:
		return bySize
	case len(data) == 1 || strings.Contains(data, "\n"):
		return atWill
	default:
		return whole
	}
}
