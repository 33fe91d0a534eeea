package target

import "strings"

// isPattern reports whether the interface of a port stands for all that match it.
func isPattern(netif string) bool { return strings.ContainsAny(netif, "*?,") }
