package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"sohoa/storage"
)

var (
	_ storage.Store  = (*Store)(nil)
	_ storage.Locker = (*Store)(nil)
	_ storage.Eraser = (*Store)(nil)
)

// Lock implements storage.Locker. It reads the headers of the object, which every
// server sends, rather than asking for the retention, which not every server
// answers. Without s3:GetObjectRetention and s3:GetObjectLegalHold a server
// leaves them out: Check sees to that.
func (s *Store) Lock(ctx context.Context, key storage.Key) (storage.Lock, error) {
	if err := key.Valid(); err != nil {
		return storage.Lock{}, err
	}
	return s.lockOf(ctx, s.name(key), "")
}

func (s *Store) lockOf(ctx context.Context, name, version string) (storage.Lock, error) {
	var lock storage.Lock
	err := s.retry(ctx, "s3:GetObject", func(ctx context.Context, _ func()) error {
		oi, err := s.core.StatObject(ctx, s.opt.Bucket, name, minio.StatObjectOptions{ServerSideEncryption: s.readSSE, VersionID: version})
		if err != nil {
			return err
		}
		lock = storage.Lock{Hold: oi.Metadata.Get("X-Amz-Object-Lock-Legal-Hold") == "ON"}
		if until := oi.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"); until != "" {
			if lock.Until, err = time.Parse(time.RFC3339, until); err != nil {
				return &bodyError{fmt.Errorf("the server's date of a retention: %w", err)}
			}
		}
		return nil
	})
	return lock, err
}

// Retain implements storage.Locker.
func (s *Store) Retain(ctx context.Context, key storage.Key, until time.Time) error {
	have, err := s.Lock(ctx, key)
	if err != nil || !have.Until.Before(until) {
		return err
	}
	mode := minio.Governance
	if s.opt.Lock == LockCompliance {
		mode = minio.Compliance
	}
	until = until.UTC()
	err = s.retry(ctx, "s3:PutObjectRetention", func(ctx context.Context, _ func()) error {
		return s.core.PutObjectRetention(ctx, s.opt.Bucket, s.name(key), minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until})
	})
	return unsupported(err)
}

// Hold implements storage.Locker.
func (s *Store) Hold(ctx context.Context, key storage.Key, on bool) error {
	if err := key.Valid(); err != nil {
		return err
	}
	status := minio.LegalHoldDisabled
	if on {
		status = minio.LegalHoldEnabled
	}
	err := s.retry(ctx, "s3:PutObjectLegalHold", func(ctx context.Context, _ func()) error {
		return s.core.PutObjectLegalHold(ctx, s.opt.Bucket, s.name(key), minio.PutObjectLegalHoldOptions{Status: &status})
	})
	return unsupported(err)
}

// unsupported marks the answers of buckets without object lock.
func unsupported(err error) error {
	switch code(err) {
	case "InvalidBucketObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "InvalidRequest", minio.NotImplemented:
		return fmt.Errorf("storage/s3: the bucket has no object lock: %w: %w", errors.ErrUnsupported, err)
	}
	return err
}

// locked answers storage.ErrLocked where the lock holds now.
func locked(l storage.Lock) error {
	if l.Hold || l.Until.After(time.Now()) {
		return fmt.Errorf("storage/s3: %w", storage.ErrLocked)
	}
	return nil
}

// Delete implements storage.Store. In a bucket with versions the object's bytes
// stay behind a marker; Erase removes them. A server would set the marker before
// a locked object too, so where locks are in use they are asked for first.
func (s *Store) Delete(ctx context.Context, key storage.Key) error {
	if err := key.Valid(); err != nil {
		return err
	}
	if s.opt.ObjectLock {
		lock, err := s.Lock(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = locked(lock)
		}
		if err != nil {
			return err
		}
	}
	return s.remove(ctx, s.name(key), "")
}

func (s *Store) remove(ctx context.Context, name, version string) error {
	right := "s3:DeleteObject"
	if version != "" {
		right = "s3:DeleteObjectVersion"
	}
	err := s.retry(ctx, right, func(ctx context.Context, _ func()) error {
		return s.core.RemoveObject(ctx, s.opt.Bucket, name, minio.RemoveObjectOptions{VersionID: version})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Erase implements storage.Eraser.
func (s *Store) Erase(ctx context.Context, key storage.Key) error {
	if err := key.Valid(); err != nil {
		return err
	}
	name := s.name(key)
	versions, err := s.versions(ctx, name)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.VersionID == "" || v.IsDeleteMarker {
			continue
		}
		// Servers answer a locked version with "access denied": tell it apart, and
		// before anything is gone.
		lock, err := s.lockOf(ctx, name, v.VersionID)
		if err == nil {
			err = locked(lock)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, v := range versions {
		if v.VersionID == "" {
			continue
		}
		if err := s.remove(ctx, name, v.VersionID); err != nil {
			return err
		}
	}
	if len(versions) > 0 && versions[0].VersionID != "" {
		return nil
	}
	return s.Delete(ctx, key) // a bucket without versions
}

func (s *Store) versions(ctx context.Context, name string) ([]minio.ObjectInfo, error) {
	var out []minio.ObjectInfo
	err := s.retry(ctx, "s3:ListBucketVersions", func(ctx context.Context, beat func()) error {
		out = nil
		for oi := range s.core.ListObjectsIter(ctx, s.opt.Bucket, minio.ListObjectsOptions{Prefix: name, WithVersions: true, Recursive: true}) {
			if oi.Err != nil {
				return oi.Err
			}
			beat()
			if oi.Key != name {
				break // longer names sort behind
			}
			out = append(out, oi)
		}
		return ctx.Err()
	})
	if notImplemented(err) {
		return nil, nil // a server without versions
	}
	return out, err
}

// notImplemented: the server does not know what was asked of it.
func notImplemented(err error) bool {
	var r minio.ErrorResponse
	return errors.As(err, &r) && (r.Code == minio.NotImplemented || r.StatusCode == http.StatusNotImplemented)
}
