package daemon

import (
	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/privilege"
)

// Limit has this process keep the capabilities that a daemon uses, with or without
// a control tree. It comes before Start, and after what only root may do at a
// start.
func Limit(log *logrus.Logger, tree bool) {
	raiseFileLimit() // takes CAP_SYS_RESOURCE
	if err := privilege.Limit(Kept(tree)...); err != nil {
		log.WithError(err).Error("the daemon keeps capabilities that it does not need")
	}
}

// Kept are the capabilities that a daemon keeps.
func Kept(tree bool) [][]privilege.Capability {
	kept := [][]privilege.Capability{privilege.Network, privilege.Files}
	if tree {
		kept = append(kept, privilege.Tree, privilege.Callers)
	}
	return kept
}

// Inheritable are the capabilities of Become, as far as this process has them, as
// one that it starts gets them: numbers of ambient ones.
func Inheritable() ([]uintptr, error) { return privilege.Ambient(privilege.Network, privilege.Tree) }

// Become has this process be another user, who keeps what links and a control tree
// need, and opens no more than files and devices of that user's. Otherwise it does
// what Limit does.
func Become(who privilege.User) error {
	raiseFileLimit()
	return privilege.Become(who, privilege.Network, privilege.Tree)
}
