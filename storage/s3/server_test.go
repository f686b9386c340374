package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sohoa/internal/testneed"
	"sohoa/storage"
	"sohoa/storage/storagetest"
	"sohoa/storage/storagetest/servers"
)

// ownMinIO is a server of the test's own, on a folder of its choice, that can be
// killed and started again.
type ownMinIO struct {
	t       *testing.T
	program string
	dir     string
	addr    string
	cmd     *exec.Cmd
}

func newMinIO(t *testing.T, dir string) *ownMinIO {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	m := &ownMinIO{t: t, program: testneed.Tool(t, "minio", "run `make tools`, which runs scripts/test-servers.sh"), dir: dir, addr: "127.0.0.1:" + port}
	m.start()
	t.Cleanup(m.kill)
	return m
}

func (m *ownMinIO) start() {
	m.t.Helper()
	m.cmd = servers.MinIOCommand(m.program, m.dir, m.addr)
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	if err := servers.Wait(http.DefaultClient, "http://"+m.addr+"/minio/health/live"); err != nil {
		m.t.Fatal(err)
	}
}

// kill is SIGKILL.
func (m *ownMinIO) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait() // killed
}

func (m *ownMinIO) store(change func(*Options)) *Store {
	_, access, secret := servers.MinIO(m.t) // the credentials are the same
	return onServer(m.t, func(testing.TB) (string, string, string) { return "http://" + m.addr, access, secret }, change)
}

// TestServerKilled: the server itself is killed under the writers' hands, and
// started again.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	m := newMinIO(t, t.TempDir())
	s := m.store(nil)
	behind := *s
	behind.opt.Attempts, behind.opt.StallAfter = 2, time.Second
	direct := *s
	direct.opt.Attempts = 20
	writers(t, &behind, &direct, 8, 15, func() {
		for range 2 {
			time.Sleep(400 * time.Millisecond)
			m.kill()
			m.start()
		}
	})
}

// TestServerFull: the server's disk is full.
func TestServerFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mnt := filepath.Join(dir, "data")
	if out, err := exec.Command("sh", "-c", "mkdir '"+mnt+"' && mount -t tmpfs -o size=48m tmpfs '"+mnt+"'").CombinedOutput(); err != nil {
		testneed.Missing(t, "the right to mount a tmpfs", "run the tests as root ("+strings.TrimSpace(string(out))+")")
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", mnt).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	s := newMinIO(t, dir).store(func(o *Options) { o.Attempts = 2 })
	body := storagetest.Random(1, 4<<20)
	var stored []storage.Key
	full := 0
	for i := range 20 {
		key := storage.Key(fmt.Sprintf("full/%d", i))
		err := s.Put(t.Context(), key, bytes.NewReader(body), storage.Info{})
		if err == nil {
			stored = append(stored, key)
			continue
		}
		full++
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Put to a full server: %v, want ErrUnavailable", err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something is visible: %v", err)
		}
	}
	if full == 0 || len(stored) == 0 {
		t.Fatalf("%d objects stored, %d refused", len(stored), full)
	}
	if err := s.Put(t.Context(), "full/large", bytes.NewReader(storagetest.Random(2, 60<<20)), storage.Info{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Put of a large body to a full server: %v, want ErrUnavailable", err)
	}
	for _, key := range stored {
		wantBody(t, s, key, body)
	}
}

// careless is a server such as there are some: it speaks S3, but ignores the
// condition, or that of uploads in parts alone, or the digest, or alters what it
// stores. Real ones of that kind
// cannot be run here, so it is made of a map.
type careless struct {
	ignoresCondition, ignoresConditionOfParts, ignoresDigest, alters bool

	mu      sync.Mutex
	objects map[string]*http.Request
	bodies  map[string][]byte
}

func (c *careless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	refuse := func(status int, code string) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
		}
	}
	name := r.URL.Path
	body, there := c.bodies[name]
	switch q := r.URL.Query(); {
	case q.Has("versions"), q.Has("uploads") && r.Method == http.MethodGet:
		refuse(http.StatusNotImplemented, "NotImplemented")
	case q.Has("uploads"):
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
	case q.Has("partNumber"):
		w.Header().Set("ETag", `"x"`)
	case q.Has("uploadId") && r.Method == http.MethodPost:
		if there && !c.ignoresConditionOfParts {
			refuse(http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, `<CompleteMultipartUploadResult><Bucket>kho</Bucket><ETag>"x"</ETag></CompleteMultipartUploadResult>`)
	case q.Has("uploadId"):
		w.WriteHeader(http.StatusNoContent)
	case q.Has("list-type"):
		w.Header().Set("Content-Type", "application/xml")
		bucket := strings.SplitN(name, "/", 3)[1]
		fmt.Fprintf(w, "<ListBucketResult><Name>%s</Name><IsTruncated>false</IsTruncated>", bucket)
		var names []string
		for n := range c.bodies {
			names = append(names, strings.TrimPrefix(n, "/"+bucket+"/"))
		}
		slices.Sort(names)
		for _, n := range names {
			fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>1</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents>", n)
		}
		fmt.Fprint(w, "</ListBucketResult>")
	case r.Method == http.MethodPut:
		got, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if there && !c.ignoresCondition && r.Header.Get("If-None-Match") == "*" {
			refuse(http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		if !c.ignoresDigest && r.Header.Get("X-Amz-Content-Sha256") != storagetest.Digest(got) {
			refuse(http.StatusBadRequest, "XAmzContentSHA256Mismatch")
			return
		}
		if c.alters {
			got[0] ^= 1
		}
		c.objects[name], c.bodies[name] = r, got
		w.Header().Set("ETag", `"x"`)
	case r.Method == http.MethodDelete:
		delete(c.objects, name)
		delete(c.bodies, name)
		w.WriteHeader(http.StatusNoContent)
	case !there:
		refuse(http.StatusNotFound, "NoSuchKey")
	default:
		for k, v := range c.objects[name].Header {
			if strings.HasPrefix(k, "X-Amz-Meta-") || k == "Content-Type" {
				w.Header()[k] = v
			}
		}
		w.Header().Set("ETag", `"x"`)
		http.ServeContent(w, r, "", time.Now(), bytes.NewReader(body))
	}
}

// TestCarelessServers: Check finds the servers that would lose documents.
func TestCarelessServers(t *testing.T) {
	for want, c := range map[string]*careless{
		"":               {},
		"If-None-Match":  {ignoresCondition: true},
		"in parts":       {ignoresConditionOfParts: true},
		"SHA-256":        {ignoresDigest: true},
		"something else": {alters: true},
	} {
		c.objects, c.bodies = map[string]*http.Request{}, map[string][]byte{}
		srv := httptest.NewServer(c)
		s, err := Open(t.Context(), Options{Endpoint: srv.URL, Bucket: "kho", Region: "us-east-1", AccessKey: "a", SecretKey: "b"})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Check(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Check of a server that is careless of %q: %v", want, err)
		}
		if len(c.bodies) != 0 {
			t.Errorf("Check leaves %d objects behind", len(c.bodies))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	}
}
