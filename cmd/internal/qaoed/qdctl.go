package qaoed

import (
	"io"
	"net"
	"strings"
	"time"

	"vbladefs/compat/qaoed"
)

// answerTime is how long a daemon has for a command. Removing a target waits for
// its requests in flight.
const answerTime = time.Minute

// Qdctl is the program qdctl; args[0] is what it was called. --socket PATH is
// ours: the original's path was fixed.
func Qdctl(args []string, stdout, _ io.Writer) int {
	path, words := socketOption(args[1:])
	return qaoed.Qdctl(words, func() (io.ReadWriteCloser, error) {
		conn, err := net.Dial("unix", path)
		if err == nil {
			err = conn.SetDeadline(time.Now().Add(answerTime))
		}
		return conn, err
	}, stdout)
}

// socketOption takes --socket PATH out of words.
func socketOption(args []string) (path string, words []string) {
	path = qaoed.QdctlSocket
	for i := 0; i < len(args); i++ {
		value, given := strings.CutPrefix(args[i], "--socket=")
		switch {
		case given:
			path = value
		case args[i] == "--socket" && i+1 < len(args):
			i++
			path = args[i]
		default:
			words = append(words, args[i])
		}
	}
	return path, words
}
