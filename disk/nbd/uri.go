package nbd

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// port is the one that IANA gave to NBD.
const port = "10809"

// Address is where an export is, and how its server is to be spoken to: what a URI says.
type Address struct {
	network, server string // of net.Dial
	export          string
	tls             bool // or not at all
	hostname        string
	certificates    string // folder
	anyServer       bool   // its certificate is not checked
}

// schemes are the schemes of URIs: over a Unix socket, and with TLS.
var schemes = map[string]struct{ unix, tls bool }{
	"nbd": {}, "nbds": {tls: true}, "nbd+unix": {unix: true}, "nbds+unix": {unix: true, tls: true},
}

// ParseURI reads an NBD URI. Its errors wrap EINVAL.
func ParseURI(uri string) (*Address, error) {
	bad := func(format string, args ...any) (*Address, error) {
		return nil, fmt.Errorf("%s: %w: %s", uri, unix.EINVAL, fmt.Sprintf(format, args...))
	}
	u, err := url.Parse(uri)
	if err != nil {
		return bad("it is no URI: want such as nbd://HOST/EXPORT or nbd+unix:///EXPORT?socket=PATH")
	}
	scheme, ok := schemes[u.Scheme]
	switch {
	case !ok || u.Opaque != "":
		return bad("want nbd://, nbds://, nbd+unix:// or nbds+unix://")
	case u.Fragment != "" || u.User != nil:
		return bad("want neither a user nor a fragment; a # of an export's name is %%23")
	}
	a := &Address{export: strings.TrimPrefix(u.Path, "/"), tls: scheme.tls, hostname: u.Hostname()}
	socket, wrong := a.options(u.RawQuery)
	switch {
	case wrong != "":
		return bad("%s", wrong)
	case len(a.export) > 4096: // proto.md, "Values": strings
		return bad("an export's name has at most 4096 bytes")
	case scheme.unix && (u.Host != "" || !filepath.IsAbs(socket) || len(socket) > 107): // unix(7): sun_path
		return bad("want no host, and the absolute path of a socket, of at most 107 bytes, as in %s:///EXPORT?socket=PATH", u.Scheme)
	case !scheme.unix && (u.Hostname() == "" || socket != ""):
		return bad("want a host and no socket; a socket is for nbd+unix://")
	}
	if scheme.unix {
		a.network, a.server = "unix", filepath.Clean(socket)
		return a, nil
	}
	a.network, a.server = "tcp", net.JoinHostPort(u.Hostname(), port)
	if u.Port() != "" {
		a.server = net.JoinHostPort(u.Hostname(), u.Port())
	}
	return a, nil
}

// options reads the query of a URI into a, and says what is wrong with it.
func (a *Address) options(query string) (socket, wrong string) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", "its options cannot be read: " + err.Error()
	}
	for name, given := range values {
		value := given[0]
		switch {
		case len(given) > 1:
			return "", "option " + name + " is there twice"
		case name == "socket":
			socket = value
		case name == "tls-hostname" && value != "":
			a.hostname = value
		case name == "tls-certificates" && filepath.IsAbs(value):
			a.certificates = value
		case name == "tls-verify-peer" && (value == "0" || value == "1"):
			a.anyServer = value == "0"
		case name == "tls-type" && value == "x509":
		case name == "tls-type":
			return "", "option tls-type: only x509 is to be had"
		default:
			return "", fmt.Sprintf("option %s=%s: want socket=, tls-certificates= (absolute paths), tls-hostname=, tls-verify-peer=0 or 1, tls-type=x509", name, value)
		}
	}
	return socket, ""
}

// Key is the same for all URIs that name one export of one server in the same words. Two names of one host, and two exports
// of one image, cannot be told to be the same.
func (a *Address) Key() string { return fmt.Sprintf("nbd %s %q of %s", a.network, a.export, a.server) }

// Identify is ParseURI and Key.
func Identify(uri string) (key string, err error) {
	a, err := ParseURI(uri)
	if err != nil {
		return "", err
	}
	return a.Key(), nil
}
