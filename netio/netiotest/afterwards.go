package netiotest

import (
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// janitor reads what to do and what not to do any more, one a line, until the test process is gone, and then does
// what is left, the newest first.
const janitor = `
while read -r verb id command; do
	case $verb in
	do) eval "command_$id=\$command"; ids="$id $ids" ;;
	done) unset "command_$id" ;;
	esac
done
for id in $ids; do
	eval "command=\${command_$id-}"
	[ -z "$command" ] || timeout 20 sh -c "$command"
done`

var afterwards struct {
	sync.Mutex
	pipe io.Writer // to the janitor; nil: there is none
	last int
}

// Afterwards has a shell command of one line carried out if the test process ends before done is called, however it ends:
// killed, for instance, or after a time-out of go test, when no cleanup runs. What nobody can start a shell for is not done.
func Afterwards(command string) (done func()) {
	afterwards.Lock()
	defer afterwards.Unlock()
	if afterwards.pipe == nil {
		cmd := exec.Command("sh", "-c", janitor)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it outlives a Ctrl-C
		pipe, err := cmd.StdinPipe()
		if err != nil || cmd.Start() != nil {
			return func() {}
		}
		afterwards.pipe = pipe
	}
	afterwards.last++
	id := afterwards.last
	fmt.Fprintf(afterwards.pipe, "do %d %s\n", id, command)
	return func() {
		afterwards.Lock()
		defer afterwards.Unlock()
		fmt.Fprintf(afterwards.pipe, "done %d\n", id)
	}
}
