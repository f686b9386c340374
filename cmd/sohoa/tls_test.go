package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/storage/ledger"
	"sohoa/storage/storagetest/servers"
	"sohoa/web"
)

// writePair writes a new certificate with that serial number, for localhost, signed
// by nobody else.
func writePair(t *testing.T, dir string, serial int64, at time.Time) (cert, key string) {
	t.Helper()
	der, k := certify(t, &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}, nil, nil)
	return writePEM(t, dir, k, at, der)
}

// certify makes a key and its certificate, signed by the parent or, without one, by
// itself.
func certify(t *testing.T, c, parent *x509.Certificate, by *ecdsa.PrivateKey) (der []byte, k *ecdsa.PrivateKey) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, by = c, k
	}
	if der, err = x509.CreateCertificate(rand.Reader, c, parent, &k.PublicKey, by); err != nil {
		t.Fatal(err)
	}
	return der, k
}

func writePEM(t *testing.T, dir string, k *ecdsa.PrivateKey, at time.Time, chain ...[]byte) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	var certs []byte
	for _, c := range chain {
		certs = append(certs, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, b := range map[string][]byte{cert: certs, key: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// A renewed certificate is served without a restart; one that cannot be read
// leaves the old one.
func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := writePair(t, dir, 1, time.Now().Add(-time.Hour))
	if _, err := openCertificate(cert, "", zerolog.Nop()); err == nil {
		t.Error("without a key")
	}
	if _, err := openCertificate(cert, cert, zerolog.Nop()); err == nil {
		t.Error("with a key that is none")
	}
	c, err := openCertificate(cert, key, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", c.config())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake() // the test looks from the other side
			conn.Close()
		}
	}()
	serial := func() int64 {
		t.Helper()
		conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	look := func() { c.mu.Lock(); c.looked = time.Time{}; c.mu.Unlock() }
	if n := serial(); n != 1 {
		t.Errorf("serial %d", n)
	}
	writePair(t, dir, 2, time.Now().Add(-time.Minute))
	look()
	if n := serial(); n != 2 {
		t.Errorf("renewed: serial %d", n)
	}
	if err := os.WriteFile(cert, []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	look()
	if n := serial(); n != 2 {
		t.Errorf("half written: serial %d", n)
	}
	if _, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// The program with certificate files: who trusts the authority signs in, by a
// cookie that never travels in the clear; who does not gets no connection, and a
// plain one is answered nothing of ours.
func TestServeTLS(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	root := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)}
	rootDER, rootKey := certify(t, root, nil, nil)
	leaf, key := certify(t, &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}, root, rootKey)
	certFile, keyFile := writePEM(t, dir, key, time.Now(), leaf)
	trusted, err := x509.ParseCertificate(rootDER)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(trusted)

	l, err := ledger.Open(t.Context(), "sqlite:"+filepath.Join(data, "ledger.db"), ledger.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ImportUnits(t.Context(), []dossier.Unit{{Code: "H51", Name: "Tỉnh", Level: dossier.Province}}); err != nil {
		t.Fatal(err)
	}
	const password = "mật khẩu đủ dài"
	hash, err := web.HashPassword("lan", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.CreateAccount(t.Context(), dossier.Account{Login: "lan", Role: dossier.Clerk, Unit: "H51", Hash: hash}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("sohoa")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "--data", data, "--listen", "127.0.0.1:"+port, "--workers", "0", "--tls-cert", certFile, "--tls-key", keyFile)
	cmd.Env = append(os.Environ(), "SOHOA_LOG_LEVEL=warn")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("it ended: %v\n%s", err, &said)
		}
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	at, client := "https://localhost:"+port, &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if err := servers.Wait(client, at+"/readyz"); err != nil {
		t.Fatal(err)
	}
	ask := func(req *http.Request, err error) *http.Response {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return resp
	}
	form := url.Values{"login": {"lan"}, "password": {password}}
	req, err := http.NewRequest("POST", at+"/login", strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	in := ask(req, err)
	if in.StatusCode != http.StatusSeeOther || in.ProtoMajor != 2 || in.TLS == nil || in.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("signing in: %s %s, HSTS %q", in.Proto, in.Status, in.Header.Get("Strict-Transport-Security"))
	}
	if c := in.Cookies(); len(c) != 1 || c[0].Name != "__Host-sohoa" || !c[0].Secure || !c[0].HttpOnly || c[0].SameSite != http.SameSiteLaxMode || c[0].Path != "/" || c[0].Domain != "" {
		t.Errorf("cookies: %v", c)
	}
	if home := ask(http.NewRequest("GET", at+"/", nil)); home.StatusCode != http.StatusOK {
		t.Errorf("signed in: %s", home.Status)
	}

	var unknown x509.UnknownAuthorityError
	if _, err := (&http.Client{Transport: &http.Transport{}}).Get(at + "/login"); !errors.As(err, &unknown) {
		t.Errorf("without the authority: %v", err)
	}
	if plain := ask(http.NewRequest("GET", "http://localhost:"+port+"/", nil)); plain.StatusCode != http.StatusBadRequest || len(plain.Cookies()) != 0 {
		t.Errorf("in the clear: %s", plain.Status)
	}
}
