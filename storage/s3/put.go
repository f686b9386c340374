package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"sohoa/storage"
)

// part is a stretch of the body that one request carries.
type part struct {
	off, size int64
	sha256    string // hexadecimal; empty: hashed when it is sent
}

// upload is a body that has been measured: what is sent is known to the byte
// before the first request.
type upload struct {
	src    io.ReaderAt
	size   int64
	sha256 string
	parts  []part
}

// Put implements storage.Store. Bodies above the part size go up in parts, and
// a body that is a *storage.Temp is not read for its digest.
func (s *Store) Put(ctx context.Context, key storage.Key, body io.ReadSeeker, info storage.Info) error {
	if err := key.Valid(); err != nil {
		return err
	}
	if err := info.Check(); err != nil {
		return err
	}
	src, release := readerAt(body)
	defer release()
	up, err := s.measure(ctx, body, src)
	if err != nil {
		return err
	}
	if info.SHA256 != "" && info.SHA256 != up.sha256 || info.Size != 0 && info.Size != up.size {
		return storage.ErrDigest
	}
	for range 3 {
		if len(up.parts) == 1 {
			err = s.putOne(ctx, key, up, info)
		} else {
			err = s.putParts(ctx, key, up, info)
		}
		if !preconditionFailed(err) {
			return err
		}
		// The object that was in the way may be gone when we look at it.
		if err = s.same(ctx, key, up); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("storage/s3: %w: the server says that the key is taken, and that it is not there; "+
		"some count a deleted version as an object, which Erase removes", storage.ErrUnavailable)
}

// measure finds size and digest, reading the body once if need be.
func (s *Store) measure(ctx context.Context, body io.ReadSeeker, src io.ReaderAt) (*upload, error) {
	up := &upload{src: src}
	t, known := body.(*storage.Temp)
	if known {
		up.size, up.sha256 = t.Size(), t.SHA256()
	} else {
		size, err := body.Seek(0, io.SeekEnd)
		if err != nil {
			return nil, fmt.Errorf("storage/s3: measuring the body: %w", err)
		}
		up.size = size
	}
	up.cut(s.opt.PartSize)
	if known {
		if len(up.parts) == 1 {
			up.parts[0].sha256 = up.sha256
		}
		return up, nil
	}
	whole := sha256.New()
	buf := make([]byte, 256<<10)
	for i := range up.parts {
		p := &up.parts[i]
		h := sha256.New()
		w := io.Writer(whole)
		if len(up.parts) > 1 {
			w = io.MultiWriter(whole, h)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{w}, &ctxReader{ctx, io.NewSectionReader(src, p.off, p.size)}, buf)
		if err == nil && n != p.size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("storage/s3: reading the body: %w", err)
		}
		p.sha256 = hex.EncodeToString(h.Sum(nil))
	}
	up.sha256 = hex.EncodeToString(whole.Sum(nil))
	if len(up.parts) == 1 {
		up.parts[0].sha256 = up.sha256
	}
	return up, nil
}

func (up *upload) cut(partSize int64) {
	for up.size > partSize*maxParts {
		partSize *= 2
	}
	for off := int64(0); ; off += partSize {
		p := part{off: off, size: min(partSize, up.size-off)}
		up.parts = append(up.parts, p)
		if off+p.size == up.size {
			return
		}
	}
}

func (s *Store) putOptions(up *upload, info storage.Info) minio.PutObjectOptions {
	meta := map[string]string{metaSHA256: up.sha256}
	for k, v := range info.Meta {
		meta[k] = storage.EncodeMeta(v)
	}
	return minio.PutObjectOptions{
		ContentType:          info.ContentType,
		UserMetadata:         meta,
		ServerSideEncryption: s.sse,
		DisableContentSha256: true, // no streaming signature: the digest itself is signed
	}
}

func (s *Store) putOne(ctx context.Context, key storage.Key, up *upload, info storage.Info) error {
	opts := s.putOptions(up, info)
	opts.UserMetadata[checksumHeader] = checksum(up.sha256) // the server keeps it and shows it to other clients
	opts.SetMatchETagExcept("*")
	return s.retry(ctx, "s3:PutObject", func(ctx context.Context, beat func()) error {
		b := newBody(up.src, up.parts[0], beat)
		done, err := s.core.PutObject(ctx, s.opt.Bucket, s.name(key), b, up.size, "", up.sha256, opts)
		if err == nil && done.ETag == "" {
			return errNotS3
		}
		return b.blame(err)
	})
}

// completePatience: a server may take so many times longer to join the parts
// without a sign of life than for anything else.
const completePatience = 10

func (s *Store) putParts(ctx context.Context, key storage.Key, up *upload, info storage.Info) error {
	// The condition is only checked at the end; do not send much for nothing.
	err := s.same(ctx, key, up)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	id, err := s.begin(ctx, key, up, info)
	if err != nil {
		return err
	}
	done, err := s.sendParts(ctx, key, id, up)
	if err == nil {
		err = s.complete(ctx, key, id, done)
	}
	if err == nil {
		return nil
	}
	// What is aborted here, or left behind by a crash, is not visible as an
	// object; the janitor (AbortStale) removes what is left.
	actx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	aerr := s.core.AbortMultipartUpload(actx, s.opt.Bucket, s.name(key), id)
	if code(err) == minio.NoSuchUpload {
		// The upload is gone: an earlier attempt to complete it came through and
		// only its answer was lost, or someone removed it.
		if serr := s.same(ctx, key, up); !errors.Is(serr, fs.ErrNotExist) {
			return serr
		}
		return fmt.Errorf("storage/s3: %w: the server lost the upload", storage.ErrUnavailable)
	}
	if aerr != nil {
		err = errors.Join(err, fmt.Errorf("storage/s3: removing the unfinished upload: %w", aerr))
	}
	return err
}

// begin begins an upload in parts.
func (s *Store) begin(ctx context.Context, key storage.Key, up *upload, info storage.Info) (id string, err error) {
	opts := s.putOptions(up, info)
	opts.UserMetadata[checksumAlgorithm] = "SHA256"
	err = s.retry(ctx, "s3:PutObject", func(ctx context.Context, _ func()) (err error) {
		id, err = s.core.NewMultipartUpload(ctx, s.opt.Bucket, s.name(key), opts)
		return err
	})
	return id, err
}

func (s *Store) complete(ctx context.Context, key storage.Key, id string, done []minio.CompletePart) error {
	var opts minio.PutObjectOptions
	opts.ServerSideEncryption = s.readSSE
	opts.SetMatchETagExcept("*")
	return s.retryFor(ctx, "s3:PutObject", completePatience*s.opt.StallAfter, func(ctx context.Context, _ func()) error {
		_, err := s.core.CompleteMultipartUpload(ctx, s.opt.Bucket, s.name(key), id, done, opts)
		return err
	})
}

// sendParts sends the parts, several at a time.
func (s *Store) sendParts(ctx context.Context, key storage.Key, id string, up *upload) ([]minio.CompletePart, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make([]minio.CompletePart, len(up.parts))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(s.opt.Parallel, len(up.parts)) {
		wg.Go(func() {
			for i := range next {
				p, err := s.sendPart(ctx, key, id, i+1, up.src, up.parts[i])
				if err != nil {
					cancel(err)
					return
				}
				done[i] = p
			}
		})
	}
	for i := range up.parts {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return done, nil
}

func (s *Store) sendPart(ctx context.Context, key storage.Key, id string, number int, src io.ReaderAt, p part) (minio.CompletePart, error) {
	if p.sha256 == "" {
		h := sha256.New()
		if _, err := io.Copy(h, &ctxReader{ctx, io.NewSectionReader(src, p.off, p.size)}); err != nil {
			return minio.CompletePart{}, fmt.Errorf("storage/s3: reading the body: %w", err)
		}
		p.sha256 = hex.EncodeToString(h.Sum(nil))
	}
	var out minio.CompletePart
	err := s.retry(ctx, "s3:PutObject", func(ctx context.Context, beat func()) error {
		b := newBody(src, p, beat)
		got, err := s.core.PutObjectPart(ctx, s.opt.Bucket, s.name(key), id, number, b, p.size, minio.PutObjectPartOptions{
			Sha256Hex: p.sha256, DisableContentSha256: true, SSE: s.readSSE,
			CustomHeader: http.Header{http.CanonicalHeaderKey(checksumHeader): {checksum(p.sha256)}},
		})
		if err != nil {
			return b.blame(err)
		}
		if got.ETag == "" {
			return errNotS3
		}
		out = minio.CompletePart{PartNumber: number, ETag: got.ETag, ChecksumSHA256: got.ChecksumSHA256}
		return nil
	})
	return out, err
}

// same answers a Put whose key is taken: nil if the object holds these bytes,
// fs.ErrNotExist if it is gone.
func (s *Store) same(ctx context.Context, key storage.Key, up *upload) error {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return err
	}
	if info.Size != up.size {
		return storage.ErrConflict
	}
	if info.SHA256 == "" {
		// Another client's object: ask its bytes.
		if info.SHA256, err = s.hash(ctx, key); err != nil {
			return err
		}
	}
	if info.SHA256 != up.sha256 {
		return storage.ErrConflict
	}
	return nil
}

func (s *Store) hash(ctx context.Context, key storage.Key) (string, error) {
	r, _, err := s.Open(ctx, key)
	if err != nil {
		return "", err
	}
	defer r.Close() // opened for reading only
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func preconditionFailed(err error) bool {
	return code(err) == minio.PreconditionFailed
}

const (
	checksumHeader    = "x-amz-checksum-sha256"
	checksumAlgorithm = "x-amz-checksum-algorithm"
)

// checksum writes a digest as the checksum header wants it.
func checksum(sha string) string {
	b, err := hex.DecodeString(sha)
	if err != nil {
		panic("storage/s3: a digest of our own making is not hexadecimal")
	}
	return base64.StdEncoding.EncodeToString(b)
}

// body is what one attempt sends. The transport may go on reading it after the
// attempt has failed, so each attempt has one of its own over a source that many
// may read.
type body struct {
	*io.SectionReader
	beat func()
	mu   sync.Mutex
	err  error
}

func newBody(src io.ReaderAt, p part, beat func()) *body {
	return &body{SectionReader: io.NewSectionReader(src, p.off, p.size), beat: beat}
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.SectionReader.Read(p)
	if err != nil && err != io.EOF {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	b.beat()
	return n, err
}

// blame says whether it was the body that made the attempt fail.
func (b *body) blame(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil && b.err != nil {
		return &bodyError{b.err}
	}
	return err
}

// readerAt makes a body readable by several at once. After release nothing
// touches the body any more.
func readerAt(body io.ReadSeeker) (io.ReaderAt, func()) {
	if ra, ok := body.(io.ReaderAt); ok {
		return ra, func() {}
	}
	s := &seekAt{rs: body}
	return s, func() {
		s.mu.Lock()
		s.rs = nil
		s.mu.Unlock()
	}
}

type seekAt struct {
	mu sync.Mutex
	rs io.ReadSeeker
}

func (s *seekAt) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rs == nil {
		return 0, errors.New("the body has been given back")
	}
	if _, err := s.rs.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(s.rs, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
