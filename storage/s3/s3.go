// Package s3 keeps the archive in a bucket of any S3-compatible server. It is
// the only user of the client library.
//
// Writing is conditional (If-None-Match: *), for objects in parts at the moment
// that completes them, so that of many writers one wins. Every body travels
// under its SHA-256, which is part of the request's signature: a server that
// received other bytes refuses them. The digest of the whole object stands in
// its user metadata as sha256. The package retries what may pass by itself, a
// bounded number of times, so nobody above it does.
package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"sohoa/storage"
	"sohoa/storage/wire"
)

const (
	defaultPartSize = 16 << 20
	maxParts        = 10000
	metaSHA256      = "sha256"
)

// Store is a bucket, or the part of one below a prefix.
type Store struct {
	core      minio.Core
	transport *http.Transport
	opt       Options
	sse       encrypt.ServerSide // nil: the bucket's default
	readSSE   encrypt.ServerSide // what reading needs too: a customer's key, else nil
}

// Open makes the client. It does not call the server, which may be away when
// we start; EnsureBucket and Check do.
func Open(_ context.Context, o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.PartSize == 0 {
		o.PartSize = defaultPartSize
	}
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.Attempts == 0 {
		o.Attempts = 5
	}
	if o.StallAfter == 0 {
		o.StallAfter = 30 * time.Second
	}
	if o.Lock == "" {
		o.Lock = LockGovernance
	}
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("storage/s3: endpoint: %w", err)
	}
	tr, err := transport(o)
	if err != nil {
		return nil, err
	}
	lookup := map[Style]minio.BucketLookupType{
		StyleAuto: minio.BucketLookupAuto, StylePath: minio.BucketLookupPath, StyleVirtualHost: minio.BucketLookupDNS,
	}[o.Style]
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds:        creds(o),
		Secure:       u.Scheme == "https",
		Transport:    checked{tr},
		Region:       o.Region,
		BucketLookup: lookup,
		MaxRetries:   1, // retries are ours: see retry.go
	})
	if err != nil {
		return nil, fmt.Errorf("storage/s3: %w", err)
	}
	core.SetAppInfo("sohoa", "1")
	s := &Store{core: *core, transport: tr, opt: o}
	if err := s.setEncryption(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close lets go of idle connections.
func (s *Store) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

func transport(o Options) (*http.Transport, error) {
	tr := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           wire.Dialer().DialContext,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   64, // all requests go to one host
		IdleConnTimeout:       time.Minute,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: 2 * time.Second,
		DisableCompression:    true, // objects come as they are
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if o.CAFile != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool() // none on this system: ours alone will do
		}
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("storage/s3: certificate authority: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("storage/s3: certificate authority: the file holds no certificate in PEM")
		}
		tr.TLSClientConfig.RootCAs = pool
	}
	return tr, nil
}

func (s *Store) setEncryption() error {
	switch s.opt.Encryption {
	case EncryptS3:
		s.sse = encrypt.NewSSE()
	case EncryptKMS:
		sse, err := encrypt.NewSSEKMS(s.opt.KMSKey, nil)
		if err != nil {
			return fmt.Errorf("storage/s3: encryption: %w", err)
		}
		s.sse = sse
	case EncryptCustomer:
		key, err := customerKey(s.opt.CustomerKeyFile)
		if err != nil {
			return err
		}
		sse, err := encrypt.NewSSEC(key)
		if err != nil {
			return fmt.Errorf("storage/s3: encryption: %w", err)
		}
		s.sse, s.readSSE = sse, sse
	}
	return nil
}

func customerKey(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("storage/s3: the customer's key: %w", err)
	}
	if len(b) == 32 {
		return b, nil
	}
	text := strings.TrimSpace(string(b))
	if key, err := hex.DecodeString(text); err == nil && len(key) == 32 {
		return key, nil
	}
	if key, err := base64.StdEncoding.DecodeString(text); err == nil && len(key) == 32 {
		return key, nil
	}
	return nil, fmt.Errorf("storage/s3: the customer's key: the file does not hold 32 bytes, raw or in hexadecimal or base64")
}

// name is the object's name in the bucket.
func (s *Store) name(key storage.Key) string { return s.opt.Prefix + string(key) }

// Stat implements storage.Store.
func (s *Store) Stat(ctx context.Context, key storage.Key) (storage.Info, error) {
	if err := key.Valid(); err != nil {
		return storage.Info{}, err
	}
	var info storage.Info
	err := s.retry(ctx, "s3:GetObject", func(ctx context.Context, _ func()) error {
		oi, err := s.core.StatObject(ctx, s.opt.Bucket, s.name(key), minio.StatObjectOptions{ServerSideEncryption: s.readSSE})
		if err != nil {
			return err
		}
		info = s.info(key, oi)
		return nil
	})
	return info, err
}

// info states what a response says of an object. The client library has decoded
// the metadata's RFC 2047 words already; decoding them again would spoil values
// that look like such words.
func (s *Store) info(key storage.Key, oi minio.ObjectInfo) storage.Info {
	info := storage.Info{Key: key, Size: oi.Size, ContentType: oi.ContentType, ModTime: oi.LastModified}
	for k, v := range oi.UserMetadata {
		k = strings.ToLower(k)
		if k == metaSHA256 {
			info.SHA256 = v
			continue
		}
		if info.Meta == nil {
			info.Meta = make(map[string]string)
		}
		info.Meta[k] = v
	}
	return info
}

// List implements storage.Store.
func (s *Store) List(ctx context.Context, prefix storage.Key) iter.Seq2[storage.Info, error] {
	return s.ListAfter(ctx, prefix, "")
}

// ListAfter lists what comes behind the key behind; see storage.ListAfter.
func (s *Store) ListAfter(ctx context.Context, prefix, behind storage.Key) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if dir := strings.TrimSuffix(string(prefix), "/"); prefix != "" && (dir == string(prefix) || storage.Key(dir).Valid() != nil) {
			yield(storage.Info{}, fmt.Errorf("storage: bad prefix: it is neither empty nor a key followed by a slash"))
			return
		}
		// A listing that breaks off goes on behind the last key it yielded; as
		// long as it gets on, it may break as often as it likes.
		after, stopped := "", false
		if behind != "" {
			after = s.opt.Prefix + string(behind)
		}
		for {
			before := after
			err := s.retry(ctx, "s3:ListBucket", func(ctx context.Context, beat func()) error {
				objects := s.core.ListObjectsIter(ctx, s.opt.Bucket, minio.ListObjectsOptions{
					Prefix: s.opt.Prefix + string(prefix), Recursive: true, StartAfter: after,
				})
				for oi := range objects {
					if oi.Err != nil {
						if after != before {
							return errProgress
						}
						return oi.Err
					}
					beat()
					after = oi.Key
					if strings.HasSuffix(oi.Key, "/") {
						continue // a folder that some client made visible
					}
					key := storage.Key(strings.TrimPrefix(oi.Key, s.opt.Prefix))
					if !yield(storage.Info{Key: key, Size: oi.Size, ModTime: oi.LastModified}, nil) {
						stopped = true
						return nil
					}
					beat() // the caller's time is not the server's
				}
				return ctx.Err() // the listing just ends when it is cancelled
			})
			if stopped {
				return
			}
			if errors.Is(err, errProgress) {
				continue
			}
			if err != nil {
				yield(storage.Info{}, err)
			}
			return
		}
	}
}

// EnsureBucket makes the bucket if it is not there.
func (s *Store) EnsureBucket(ctx context.Context) error {
	there := false
	err := s.retry(ctx, "s3:ListBucket", func(ctx context.Context, _ func()) (err error) {
		there, err = s.core.BucketExists(ctx, s.opt.Bucket)
		return err
	})
	if err != nil || there {
		return err
	}
	return s.retry(ctx, "s3:CreateBucket", func(ctx context.Context, _ func()) error {
		err := s.core.MakeBucket(ctx, s.opt.Bucket, minio.MakeBucketOptions{Region: s.opt.Region, ObjectLocking: s.opt.ObjectLock})
		if code(err) == minio.BucketAlreadyOwnedByYou {
			return nil // someone was quicker
		}
		return err
	})
}
