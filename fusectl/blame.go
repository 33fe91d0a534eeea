package fusectl

import (
	"errors"

	"vbladefs/compat/native"
	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// blamed is the column of the word of line for which op failed with err. The
// engine knows no words: it is the one that names what the error is about, or
// else the first word behind the command.
func blamed(op target.Operation, err error, line string) int {
	words := text.Fields(line, " \t")
	o := namesOf(op)
	var suspects []string
	switch {
	case errors.Is(err, target.ErrFull) && o.hosts && len(words) > 0:
		return words[min(len(words)-1, aoe.MaxListed+1)].Column
	case errors.Is(err, target.ErrStore):
		suspects = []string{o.path}
	case errors.Is(err, target.ErrNoInterface), errors.Is(err, target.ErrNotEthernet):
		suspects = []string{o.netif}
	case errors.Is(err, target.ErrNoDrive), errors.Is(err, target.ErrNameTaken), errors.Is(err, target.ErrMalformed):
		suspects = []string{o.drive}
	default:
		suspects = []string{native.FolderName(o.addr), o.addr.String(), o.drive}
	}
	for _, suspect := range suspects {
		for _, w := range words {
			if suspect != "" && w.Text == suspect {
				return w.Column
			}
		}
	}
	switch {
	case len(words) == 0:
		return 1
	case len(words) == 1 || words[0].Text[0] <= '9': // kvblade's records begin with a number
		return words[0].Column
	}
	return words[1].Column
}

// names are the objects that an operation names; not all have all.
type names struct {
	drive, path, netif string
	addr               aoe.Addr
	hosts              bool // a list of them
}

func namesOf(op target.Operation) names {
	switch op := op.(type) {
	case target.AddDrive:
		return names{drive: op.Name, path: op.Path}
	case target.RemoveDrive:
		return names{drive: op.Name}
	case target.AddPort:
		return names{drive: op.Drive, netif: op.Interface, addr: op.Addr}
	case target.RemovePort:
		return names{drive: op.Drive, netif: op.Interface, addr: op.Addr}
	case target.Export:
		return names{path: op.Path, netif: op.Interface, addr: op.Addr}
	case target.Rebind:
		return names{path: op.Path, netif: op.Interface, addr: op.Addr}
	case target.AddBlade:
		return names{drive: op.Drive, addr: op.Addr}
	case target.RemoveBlade:
		return names{addr: op.Addr}
	case target.EditHosts:
		return names{addr: op.Addr}
	case target.EditHostList:
		return names{addr: op.Addr, hosts: true}
	case target.SetHosts:
		return names{addr: op.Addr, hosts: true}
	}
	return names{}
}
