package nbd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// DefaultCertificates is the folder of certificates where a URI names none; it need not exist.
const DefaultCertificates = "/etc/vbladefs/nbd"

// The files of such a folder, named as those of libnbd and qemu. Without the first the authorities that the system trusts
// are those that count, without the other two the server learns nothing of us.
const (
	authorityFile   = "ca-cert.pem"
	certificateFile = "client-cert.pem"
	keyFile         = "client-key.pem"
)

// tlsConfig reads what TLS needs, once, as the right to read it may be given up later.
func (a *Address) tlsConfig() (*tls.Config, error) {
	folder := a.certificates
	if folder == "" {
		folder = DefaultCertificates
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.hostname, InsecureSkipVerify: a.anyServer}
	if c.ServerName == "" {
		c.ServerName = "localhost" // over a Unix socket, as libnbd has it
	}
	authority, err := os.ReadFile(filepath.Join(folder, authorityFile))
	if err == nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(authority) {
			return nil, fmt.Errorf("%s: %w: no certificate is in it", filepath.Join(folder, authorityFile), unix.EINVAL)
		}
	} else if !errors.Is(err, fs.ErrNotExist) || a.certificates != "" {
		return nil, fmt.Errorf("certificates for NBD: %w: want %s, and perhaps %s with %s, in that folder", err, authorityFile, certificateFile, keyFile)
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(folder, certificateFile), filepath.Join(folder, keyFile))
	switch {
	case err == nil:
		c.Certificates = []tls.Certificate{own}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("certificates for NBD in %s: %w: want %s with %s or neither", folder, err, certificateFile, keyFile)
	}
	return c, nil
}
