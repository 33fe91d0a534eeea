package nbd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// authority makes certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.pem, a.cert, a.key = a.sign("authority", true)
	return a
}

// sign makes a certificate for name, with its key.
func (a *authority) sign(name string, root bool) ([]byte, *x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	form := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: root, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, signer := form, key
	if root {
		form.KeyUsage, form.ExtKeyUsage = x509.KeyUsageCertSign, nil
	} else {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, form, parent, &key.PublicKey, signer)
	must(a.t, err)
	cert, err := x509.ParseCertificate(der)
	must(a.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), cert, key
}

// folder makes a folder of certificates; side is "server", "client" or none.
func (a *authority) folder(side, name string) string {
	a.t.Helper()
	dir := a.t.TempDir()
	must(a.t, os.WriteFile(filepath.Join(dir, "ca-cert.pem"), a.pem, 0o600))
	if side != "" {
		cert, _, key := a.sign(name, false)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(a.t, err)
		must(a.t, os.WriteFile(filepath.Join(dir, side+"-cert.pem"), cert, 0o600))
		must(a.t, os.WriteFile(filepath.Join(dir, side+"-key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	}
	return dir
}

// TestTLS exercises a server that wants TLS, by either scheme, and after it has come back; and refuses one that is not the
// one it says, one that has none, and what the server refuses.
func TestTLS(t *testing.T) {
	a := newAuthority(t)
	server, uri := nbdkit(t, "--tls=require", "--tls-verify-peer", "--tls-certificates="+a.folder("server", "server.example"), "file", imageFile(t, 4<<20))
	client := "&tls-certificates=" + a.folder("client", "us")
	for _, scheme := range []string{"nbd", "nbds"} {
		at := strings.Replace(uri, "nbd", scheme, 1) + client + "&tls-hostname=server.example"
		s := open(t, at, Options{})
		exercise(t, s, 5, 60)
		server.end()
		until(t, "the outage is seen", func() bool { return s.Outage() != "" })
		server.begin()
		exercise(t, s, 6, 20)
		l := newLoad(t, s, 16)
		must(t, l.o.do(s, 1, l.model, 0))
		l.run(t, func() bool { return l.done > 500 })
		must(t, s.Close())
	}
	_, plain := nbdkit(t, "memory", "1M")
	for name, at := range map[string]string{
		"other name":      uri + client + "&tls-hostname=other.example",
		"other authority": uri + "&tls-hostname=server.example&tls-certificates=" + newAuthority(t).folder("", ""),
		"no TLS there":    strings.Replace(plain, "nbd", "nbds", 1) + client,
		"no certificates": uri + "&tls-certificates=/no/such/folder",
	} {
		s, err := Open(at, Options{})
		var errno unix.Errno
		if err == nil || !errors.As(err, &errno) {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Log(err)
		}
		if s != nil {
			_ = s.Close()
		}
	}
	loose := open(t, strings.Replace(uri, "nbd", "nbds", 1)+client+"&tls-verify-peer=0", Options{})
	exercise(t, loose, 7, 10)
}
