package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// certificate is the server's, from files that are looked at again when they have
// changed: whoever renews it need not restart us.
type certificate struct {
	cert, key string
	log       zerolog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time // of the files, when they were read
	looked  time.Time
}

// certificateEvery is how often the files are looked at, at most.
const certificateEvery = 10 * time.Second

// openCertificate reads the files once, so that what is wrong with them shows at
// the start.
func openCertificate(cert, key string, log zerolog.Logger) (*certificate, error) {
	if cert == "" || key == "" {
		return nil, usage("--tls-cert and --tls-key: both or neither")
	}
	c := &certificate{cert: cert, key: key, log: log}
	if err := c.read(); err != nil {
		return nil, usage("--tls-cert, --tls-key: %w", err)
	}
	return c, nil
}

func (c *certificate) read() error {
	var changed time.Time
	for _, name := range []string{c.cert, c.key} {
		st, err := os.Stat(name)
		if err != nil {
			return err
		}
		if st.ModTime().After(changed) {
			changed = st.ModTime()
		}
	}
	if c.pair != nil && changed.Equal(c.changed) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	c.pair, c.changed = &pair, changed
	return nil
}

// config is TLS 1.2 or newer, as old office PCs have it. A renewal that cannot be
// read, half written as it may be, leaves the certificate that we have.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if now := time.Now(); now.Sub(c.looked) > certificateEvery {
			c.looked = now
			if err := c.read(); err != nil {
				c.log.Error().Err(err).Msg("the new certificate cannot be read; the old one is used")
			}
		}
		return c.pair, nil
	}}
}
