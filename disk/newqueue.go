package disk

import "fmt"

// NewQueue returns a queue of the given kind: "uring", "sync", or "auto", which is uring where it can. A note says why
// auto is not uring; empty if it is.
func NewQueue(kind string) (q Queue, note string, err error) {
	switch kind {
	case "auto", "uring":
		ring, uringErr := NewUring()
		if uringErr == nil {
			return ring, "", nil
		}
		if kind == "uring" {
			return nil, "", uringErr
		}
		note = fmt.Sprintf("disk I/O goes through threads instead of io_uring, at a cost in speed only: %v", uringErr)
	case "sync":
	default:
		return nil, "", fmt.Errorf("disk queue %q is unknown: use auto, uring or sync", kind)
	}
	threads, err := NewSync()
	if err != nil {
		return nil, "", err
	}
	return threads, note, nil
}
