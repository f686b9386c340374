package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"sohoa/storage"
)

// probes is the folder in which Check tries things.
const probes = storage.Key("probe")

// Check tries everything the archive needs of the bucket, on an object of its
// own, and says all that is missing at once: rights (storage.ErrDenied), writing
// only once, checking of contents, object lock where it is asked for. A server
// that ignores the condition or the digest would lose documents silently; it
// must not be used.
func (s *Store) Check(ctx context.Context) error {
	key := probes + "/" + storage.Key(strings.ToLower(rand.Text()))
	body := []byte("sohoa tries what it may do here; this object can be deleted\n")
	info := storage.Info{ContentType: "text/plain", Meta: map[string]string{"probe": "thử"}}

	if err := s.Put(ctx, key, bytes.NewReader(body), info); err != nil {
		if !errors.Is(err, storage.ErrDenied) {
			return err // away, or not there: the rest would say the same
		}
		// What else is missing can be seen without the object.
		_, serr := s.Stat(ctx, key)
		return errors.Join(err, missing(serr), s.checkList(ctx, ""))
	}
	err := errors.Join(s.checkRead(ctx, key, body, info), s.checkList(ctx, key), s.checkOnce(ctx, key),
		s.checkDigest(ctx, key+"-digest"), s.checkParts(ctx, key), s.checkLock(ctx, key+"-lock"))
	// As a document is deleted by order: with all its versions.
	return errors.Join(err, s.Erase(ctx, key))
}

// missing: that the probe is not there is what we expect.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *Store) checkRead(ctx context.Context, key storage.Key, body []byte, want storage.Info) error {
	r, info, err := s.Open(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close() // opened for reading only
	got, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	if !bytes.Equal(got, body) || info.SHA256 != hex.EncodeToString(sum[:]) || info.ContentType != want.ContentType || info.Meta["probe"] != want.Meta["probe"] {
		return fmt.Errorf("storage/s3: the server gives back something else than was stored")
	}
	return nil
}

// checkList looks for the probe in the listing; with no key it only lists.
func (s *Store) checkList(ctx context.Context, key storage.Key) error {
	for i, err := range s.List(ctx, probes+"/") {
		if err != nil {
			return err
		}
		if i.Key == key || key == "" {
			return nil
		}
	}
	if key == "" {
		return nil
	}
	return fmt.Errorf("storage/s3: the server does not list what was stored")
}

func (s *Store) checkOnce(ctx context.Context, key storage.Key) error {
	err := s.Put(ctx, key, strings.NewReader("other bytes"), storage.Info{})
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("storage/s3: the server ignores If-None-Match and overwrites objects; it cannot hold the archive")
}

func (s *Store) checkDigest(ctx context.Context, key storage.Key) error {
	wrong := strings.Repeat("0", 64)
	err := s.retry(ctx, "s3:PutObject", func(ctx context.Context, beat func()) error {
		body := "not the bytes of that digest"
		_, err := s.core.PutObject(ctx, s.opt.Bucket, s.name(key), strings.NewReader(body), int64(len(body)), "", wrong,
			minio.PutObjectOptions{DisableContentSha256: true, ServerSideEncryption: s.sse})
		return err
	})
	if errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrDenied) || ctx.Err() != nil {
		return err
	}
	if err == nil {
		return errors.Join(fmt.Errorf("storage/s3: the server does not check the SHA-256 of what it receives; it cannot hold the archive"), s.Delete(ctx, key))
	}
	return nil
}

// checkParts sends an upload in parts, as large objects are sent, to a key that is
// taken: some servers know the condition of a write, but forget it at the end of
// such an upload. What is refused is given up, as the janitor does.
func (s *Store) checkParts(ctx context.Context, key storage.Key) error {
	body := strings.NewReader("other bytes, in parts")
	up, err := s.measure(ctx, body, body)
	if err != nil {
		return err
	}
	id, err := s.begin(ctx, key, up, storage.Info{})
	if err != nil {
		return err
	}
	done, err := s.sendParts(ctx, key, id, up)
	if err == nil {
		err = s.complete(ctx, key, id, done)
		switch {
		case err == nil:
			return fmt.Errorf("storage/s3: the server ignores If-None-Match at the end of an upload in parts and overwrites objects; it cannot hold the archive")
		case preconditionFailed(err):
			err = nil
		}
	}
	_, lerr := s.AbortStale(ctx, time.Time{}, true)
	return errors.Join(err, lerr, s.abort(ctx, s.name(key), id))
}

// checkLock protects an object for a moment, where object lock is asked for. Its
// bytes stay behind a marker: nobody can erase them before that moment is over.
func (s *Store) checkLock(ctx context.Context, key storage.Key) error {
	if !s.opt.ObjectLock {
		return nil
	}
	can, err := s.CanLock(ctx)
	if err == nil && !can {
		return fmt.Errorf("storage/s3: object lock is asked for, but bucket %s was made without it", s.opt.Bucket)
	}
	if err == nil {
		err = s.Put(ctx, key, strings.NewReader("locked for a moment\n"), storage.Info{ContentType: "text/plain"})
	}
	if err != nil {
		return err
	}
	const moment = 10 * time.Second // more than the clocks differ
	herr, rerr := s.Hold(ctx, key, true), s.Retain(ctx, key, time.Now().Add(moment))
	// Whoever may not see a lock is not told so, and would take it for none.
	lock, err := s.Lock(ctx, key)
	if err == nil && herr == nil && !lock.Hold {
		herr = s.denied("s3:GetObjectLegalHold")
	}
	if err == nil && rerr == nil && lock.Until.IsZero() {
		rerr = s.denied("s3:GetObjectRetention")
	}
	if herr == nil {
		herr = s.Hold(ctx, key, false)
	}
	return errors.Join(herr, rerr, err, s.remove(ctx, s.name(key), ""))
}

// CanLock reports whether the bucket has object lock.
func (s *Store) CanLock(ctx context.Context) (bool, error) {
	enabled := ""
	err := s.retry(ctx, "s3:GetBucketObjectLockConfiguration", func(ctx context.Context, _ func()) (err error) {
		enabled, _, _, _, err = s.core.GetObjectLockConfig(ctx, s.opt.Bucket)
		return err
	})
	if code(err) == "ObjectLockConfigurationNotFoundError" || errors.Is(unsupported(err), errors.ErrUnsupported) {
		return false, nil
	}
	return enabled == "Enabled", err
}

// AbortStale removes uploads in parts that were begun before the given time and
// never completed, and says how many. They are not visible as objects, but take
// space. Some servers list none of them and clear up by themselves.
func (s *Store) AbortStale(ctx context.Context, before time.Time, dryRun bool) (int, error) {
	n := 0
	keyMarker, idMarker := "", ""
	for {
		var page minio.ListMultipartUploadsResult
		err := s.retry(ctx, "s3:ListBucketMultipartUploads", func(ctx context.Context, _ func()) (err error) {
			page, err = s.core.ListMultipartUploads(ctx, s.opt.Bucket, s.opt.Prefix, keyMarker, idMarker, "", 1000)
			return err
		})
		if notImplemented(err) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		for _, u := range page.Uploads {
			if !u.Initiated.Before(before) {
				continue
			}
			n++
			if dryRun {
				continue
			}
			names := []string{u.Key}
			// Ceph escapes the names, as it is asked to, but does not say that it did.
			if plain, err := url.PathUnescape(u.Key); err == nil && plain != u.Key && page.EncodingType == "" {
				names = append(names, plain)
			}
			for _, name := range names {
				if err := s.abort(ctx, name, u.UploadID); err != nil {
					return n, err
				}
			}
		}
		if !page.IsTruncated {
			return n, nil
		}
		keyMarker, idMarker = page.NextKeyMarker, page.NextUploadIDMarker
	}
}

// abort gives up an upload in parts; one that is gone is no error.
func (s *Store) abort(ctx context.Context, name, upload string) error {
	return s.retry(ctx, "s3:AbortMultipartUpload", func(ctx context.Context, _ func()) error {
		err := s.core.AbortMultipartUpload(ctx, s.opt.Bucket, name, upload)
		if code(err) == minio.NoSuchUpload {
			return nil
		}
		return err
	})
}
