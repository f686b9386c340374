package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"sohoa/storage"
)

var (
	errStalled  = errors.New("nothing moved for too long")
	errProgress = errors.New("broke off after it had got on") // internal to List
)

// bodyError is an error of the body that is being sent: the caller's, whom
// another attempt would not help.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// retry calls f until it succeeds, fails for good or has had its attempts, and
// turns its error into one of the contract's. An attempt in which beat is not
// called for a while is given up. right names what f needs to be allowed.
func (s *Store) retry(ctx context.Context, right string, f func(ctx context.Context, beat func()) error) error {
	return s.retryFor(ctx, right, s.opt.StallAfter, f)
}

func (s *Store) retryFor(ctx context.Context, right string, stall time.Duration, f func(ctx context.Context, beat func()) error) error {
	wait := 100 * time.Millisecond
	for try := 1; ; try++ {
		err := attempt(ctx, stall, f)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("storage/s3: %w", ctx.Err())
		}
		if try == s.opt.Attempts || !transient(err) && !(refused(err) && try < refusals) {
			return s.final(right, err)
		}
		// Full jitter keeps many writers from coming back all at once.
		t := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("storage/s3: %w", ctx.Err())
		}
		if wait *= 2; wait > 2*time.Second {
			wait = 2 * time.Second
		}
	}
}

func attempt(ctx context.Context, stall time.Duration, f func(ctx context.Context, beat func()) error) error {
	actx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer watch.Stop()
	err := f(actx, func() { watch.Reset(stall) })
	if err != nil && errors.Is(context.Cause(actx), errStalled) {
		return errStalled
	}
	return err
}

// nestedCodes are what servers of folders answer where a key lies below an
// object or is a folder.
var nestedCodes = map[string]bool{
	"XMinioParentIsObject": true, "XMinioObjectExistsAsDirectory": true,
	"ObjectParentIsFile": true, "ExistingObjectIsDirectory": true,
}

// code is the server's error code, or "".
func code(err error) string {
	var r minio.ErrorResponse
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

// refusals is how often a server has to say that a right is missing before we
// believe it. MinIO says so, rarely and not again, of a write that meets the
// removal of its emptied folder (its errFileAccessDenied becomes AccessDenied);
// taken at its word, that would send an operator after his server's policies.
const refusals = 3

func refused(err error) bool { return code(err) == minio.AccessDenied }

// transient: may pass by itself.
func transient(err error) bool {
	var body *bodyError
	if errors.As(err, &body) || errors.Is(err, errProgress) || errors.Is(err, errNoCredentials) || isConfiguration(err) {
		return false
	}
	var r minio.ErrorResponse
	if !errors.As(err, &r) {
		return true // of the network: no answer, half an answer
	}
	switch r.Code {
	case "ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "SlowDown", "Throttling",
		"RequestLimitExceeded", "IncompleteBody", "ExpiredToken", "ExpiredTokenException":
		return true
	case "XMinioStorageFull":
		return false
	}
	if nestedCodes[r.Code] {
		return true // a server of folders says so too while another request removes an empty one
	}
	switch r.StatusCode {
	case http.StatusNotImplemented, http.StatusInsufficientStorage:
		return false
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return r.StatusCode >= 500
}

// isConfiguration: the connection fails because of how one end is set up.
func isConfiguration(err error) bool {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		verify  *tls.CertificateVerificationError
	)
	return errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &verify)
}

// final turns the last error into one of the contract's.
func (s *Store) final(right string, err error) error {
	var body *bodyError
	if errors.As(err, &body) {
		return fmt.Errorf("storage/s3: reading the body: %w", body.err)
	}
	if errors.Is(err, errProgress) {
		return err
	}
	if errors.Is(err, errNoCredentials) {
		return fmt.Errorf("storage/s3: %w: %w", storage.ErrDenied, err)
	}
	var r minio.ErrorResponse
	if !errors.As(err, &r) {
		return fmt.Errorf("storage/s3: %w: %w", storage.ErrUnavailable, err)
	}
	switch r.Code {
	case minio.NoSuchKey, minio.NoSuchVersion:
		return fmt.Errorf("storage/s3: %w", fs.ErrNotExist)
	case minio.NoSuchBucket:
		return fmt.Errorf("storage/s3: %w: there is no bucket %s; sohoa migrate makes it", storage.ErrUnavailable, s.opt.Bucket)
	case minio.AccessDenied, minio.AllAccessDisabled:
		return s.denied(right)
	case minio.InvalidAccessKeyID, minio.SignatureDoesNotMatch, "InvalidToken":
		return fmt.Errorf("storage/s3: %w: the server does not know the credentials (%s)", storage.ErrDenied, r.Code)
	}
	if nestedCodes[r.Code] {
		return fmt.Errorf("storage/s3: %w", storage.ErrNested)
	}
	if r.StatusCode >= 500 || transient(err) {
		return fmt.Errorf("storage/s3: %w: %s: %w", storage.ErrUnavailable, r.Code, err)
	}
	return fmt.Errorf("storage/s3: %s: %s: %w", right, r.Code, err)
}

func (s *Store) denied(right string) error {
	return fmt.Errorf("storage/s3: %w: the credentials need %s on bucket %s", storage.ErrDenied, right, s.opt.Bucket)
}
