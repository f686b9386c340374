package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage"
	"sohoa/storage/storagetest"
)

// untilThere sends what a client would: asks, goes on from there, begins anew
// where there is nothing. It returns the document, and how many bytes it sent.
func untilThere(ctx context.Context, hosts []*pipeline.Pipeline, slip dossier.Slip, content []byte, digest dossier.Digest) (id string, sent int, err error) {
	up := ""
	for turn := range 40 {
		p := hosts[turn%len(hosts)] // each request at another host
		var u pipeline.Upload
		if up == "" {
			if u, err = p.BeginUpload(ctx, slip, int64(len(content)), digest); err != nil {
				continue
			}
			up = u.ID
		} else if u, err = p.Upload(ctx, up); err != nil {
			if errors.Is(err, pipeline.ErrNoUpload) {
				up = ""
			}
			continue
		}
		if u.Document != "" {
			return u.Document, sent, nil
		}
		rest := content[u.Offset:]
		n := min(len(rest), len(content)/3+1)
		sent += n
		if u, err = p.AppendUpload(ctx, u, bytes.NewReader(rest[:n]), pipeline.Checksum{}); err == nil && u.Document != "" {
			return u.Document, sent, nil
		}
	}
	return "", sent, fmt.Errorf("never there: %w", err)
}

// Every write is broken twice, lost and persisted but reported lost, while the
// pieces go to two hosts in turn: one document comes out, byte for byte, and
// what was written before is not asked for again.
func TestUploadBrokenAtEveryWrite(t *testing.T) {
	content := append(file(t, "accept/page.png"), make([]byte, 1000)...)
	for _, apply := range []bool{false, true} {
		for at := 1; ; at++ {
			writes, broke, over := 0, false, false
			r := newRig(t, rigOptions{wrap: func(s storage.Store) storage.Store {
				return storagetest.Faulty(s, func(op string, key storage.Key) (bool, error) {
					if op != storagetest.OpPut && op != storagetest.OpDelete {
						return false, nil
					}
					if writes++; writes != at || over {
						return false, nil
					}
					broke = true
					return apply, fmt.Errorf("%w: broken by the test", storage.ErrUnavailable)
				})
			}})
			other := pipeline.New(r.pipe.Options)
			ctx := context.Background()
			id, sent, err := untilThere(ctx, []*pipeline.Pipeline{r.pipe, other}, slip(dossier.Component, known, ""), content, "")
			if err != nil {
				t.Fatalf("write %d (applied: %v): %v", at, apply, err)
			}
			st, err := r.pipe.Standing(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			body, _, err := r.pipe.OpenOriginal(ctx, st)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			body.Close()
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("write %d (applied: %v): %d bytes came out, %v", at, apply, len(got), err)
			}
			docs, err := r.ledger.Documents(ctx, known)
			if err != nil || len(docs) != 1 {
				t.Errorf("write %d (applied: %v): %d documents, %v", at, apply, len(docs), err)
			}
			if limit := len(content) + len(content)/3 + 1; sent > limit {
				t.Errorf("write %d (applied: %v): %d bytes sent for %d", at, apply, sent, len(content))
			}
			over = true
			// What is left is swept when its time is over, and nothing else.
			r.pipe.Now = func() time.Time { return time.Now().Add(pipeline.UploadLife + 2*time.Hour) }
			if err := r.pipe.Clean(ctx, r.ledger, pipeline.CleanOptions{Quick: true, Report: func(c pipeline.Cleaned) {
				if c.Why != pipeline.LeftUpload {
					t.Errorf("write %d (applied: %v): the janitor took %+v", at, apply, c)
				}
			}}); err != nil {
				t.Fatal(err)
			}
			for info, err := range r.store.List(ctx, "") {
				if err != nil || strings.HasPrefix(string(info.Key), "uploads/") {
					t.Errorf("write %d (applied: %v): %s was left behind, %v", at, apply, info.Key, err)
				}
			}
			if !broke {
				if at < 6 {
					t.Errorf("only %d writes", at-1)
				}
				break
			}
		}
	}
}

// Of two senders at one offset one is told to ask again; nothing is mixed.
func TestUploadTwoSenders(t *testing.T) {
	r := newRig(t, rigOptions{})
	ctx := context.Background()
	content := bytes.Repeat([]byte("0123456789"), 10)
	u, err := r.pipe.BeginUpload(ctx, slip(dossier.Component, known, ""), 100, "")
	if err != nil {
		t.Fatal(err)
	}
	late := u
	// The line of the first breaks after 30 bytes; what arrived is kept.
	broken := io.MultiReader(bytes.NewReader(content[:30]), failing{})
	if u, err = r.pipe.AppendUpload(ctx, u, broken, pipeline.Checksum{}); !errors.Is(err, pipeline.ErrTransfer) || u.Offset != 30 {
		t.Fatalf("offset %d, %v", u.Offset, err)
	}
	// The second knows of nothing yet.
	if _, err := r.pipe.AppendUpload(ctx, late, bytes.NewReader(content[:50]), pipeline.Checksum{}); !errors.Is(err, pipeline.ErrUploadOffset) {
		t.Fatalf("two pieces at one offset: %v", err)
	}
	if u, err = r.pipe.Upload(ctx, u.ID); err != nil || u.Offset != 30 {
		t.Fatalf("offset %d, %v", u.Offset, err)
	}
	// Somebody who is gone does not take the bytes along.
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if u, err = r.pipe.AppendUpload(gone, u, bytes.NewReader(content[30:60]), pipeline.Checksum{}); err != nil || u.Offset != 60 {
		t.Fatalf("offset %d, %v", u.Offset, err)
	}
	if _, err = r.pipe.AppendUpload(ctx, u, bytes.NewReader(append(content[60:], 'x')), pipeline.Checksum{}); !errors.Is(err, pipeline.ErrUploadLength) {
		t.Fatalf("a byte too many: %v", err)
	}
	if u, err = r.pipe.AppendUpload(ctx, u, bytes.NewReader(content[60:]), pipeline.Checksum{}); err != nil || u.Document == "" {
		t.Fatalf("%+v %v", u, err)
	}
	if err := r.pipe.Clean(ctx, r.ledger, pipeline.CleanOptions{Report: func(c pipeline.Cleaned) {
		t.Errorf("the janitor took %+v before its time", c)
	}}); err != nil {
		t.Error(err)
	}
}

// TestUploadIsKeptForItsWorker: on a store whose files are elsewhere an upload's
// bytes stay at hand until they are worked, in one piece or in several.
func TestUploadIsKeptForItsWorker(t *testing.T) {
	var tries atomic.Int64
	r := newRig(t, rigOptions{wrap: func(s storage.Store) storage.Store { return &counting{Store: s} },
		hook: func(p pipeline.Point) error {
			if p.Step == "stage: open" && !p.After {
				tries.Add(1)
			}
			return nil
		}})
	content := file(t, "accept/page.jpg")
	var ids []string
	for n, code := range []dossier.Code{"H51.10-240801-0001", "H51.10-240801-0002"} {
		u, err := r.pipe.BeginUpload(t.Context(), slip(dossier.Component, code, ""), int64(len(content)), "")
		for _, piece := range [][]byte{content[:n*100], content[n*100:]} {
			if err == nil && len(piece) > 0 {
				u, err = r.pipe.AppendUpload(t.Context(), u, bytes.NewReader(piece), pipeline.Checksum{})
			}
		}
		if err != nil || u.Document == "" {
			t.Fatal(err, u.Offset)
		}
		ids = append(ids, u.Document)
	}
	stop := r.work(t)
	for _, id := range ids {
		if st, err := r.pipe.Wait(t.Context(), id, time.Minute); err != nil || st.State != dossier.Stored {
			stop()
			t.Fatal(st.State, st.Fault, err)
		}
	}
	stop() // the verdict is known before the hands are free
	if n := tries.Load(); n != 2 {
		t.Errorf("%d tries for two uploads", n)
	}
	left, err := os.ReadDir(r.pipe.SpoolDir)
	if err != nil || len(left) > 0 {
		t.Errorf("%d files are left in the spool, %v", len(left), err)
	}
}
