package s3

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"sohoa/internal/testneed"
	"sohoa/storage"
	"sohoa/storage/storagetest"
	"sohoa/storage/storagetest/servers"
)

func put(t *testing.T, s storage.Store, key storage.Key, body []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(body), storage.Info{}); err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
}

func wantBody(t *testing.T, s storage.Store, key storage.Key, want []byte) {
	t.Helper()
	r, _, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatalf("Open(%q): %v", key, err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%q holds %d bytes, %v; want %d", key, len(got), err, len(want))
	}
}

// tlsServer opens a store on a MinIO that speaks TLS.
func tlsServer(t *testing.T, change func(*Options)) *Store {
	t.Helper()
	_, _, _, ca := servers.MinIOTLS(t)
	return onServer(t, func(t testing.TB) (string, string, string) {
		endpoint, access, secret, _ := servers.MinIOTLS(t)
		return endpoint, access, secret
	}, func(o *Options) {
		o.CAFile = ca
		if change != nil {
			change(o)
		}
	})
}

func TestTLS(t *testing.T) {
	s := tlsServer(t, nil)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	large := storagetest.Random(1, 20<<20)
	put(t, s, "large", large)
	wantBody(t, s, "large", large)

	// Without the authority the server is not trusted, which no retry changes.
	o := s.opt
	o.CAFile = ""
	stranger, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Put(t.Context(), "a", strings.NewReader("x"), storage.Info{}); !errors.Is(err, storage.ErrUnavailable) || !isConfiguration(err) {
		t.Errorf("Put to a server that is not trusted: %v", err)
	}
	o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if _, err := Open(t.Context(), o); err == nil {
		t.Error("Open with a missing CA file succeeded")
	}
	if err := os.WriteFile(o.CAFile, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), o); err == nil {
		t.Error("Open with an empty CA file succeeded")
	}
}

func TestVirtualHostStyle(t *testing.T) {
	s := tlsServer(t, func(o *Options) { o.Style = StylePath })
	o := s.opt
	o.Style = StyleVirtualHost
	v, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	// Not every resolver knows names below localhost.
	hosts := map[string]bool{}
	v.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		hosts[host] = true
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}
	put(t, v, "a/b", []byte("x"))
	wantBody(t, s, "a/b", []byte("x"))
	if !hosts[o.Bucket+".localhost"] {
		t.Errorf("the bucket was not asked for by name: %v", hosts)
	}
}

func TestEncryption(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set    func(*Options)
		header string
		want   string
	}{
		"s3":     {func(o *Options) { o.Encryption = EncryptS3 }, "X-Amz-Server-Side-Encryption", "AES256"},
		"kms":    {func(o *Options) { o.Encryption, o.KMSKey = EncryptKMS, "sohoa-test-key" }, "X-Amz-Server-Side-Encryption", "aws:kms"},
		"c":      {func(o *Options) { o.Encryption, o.CustomerKeyFile = EncryptCustomer, keyFile }, "X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256"},
		"kms-is": {func(o *Options) { o.Encryption = EncryptKMS }, "X-Amz-Server-Side-Encryption", "aws:kms"},
	} {
		t.Run(name, func(t *testing.T) {
			s := tlsServer(t, c.set)
			if err := s.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			small, large := storagetest.Random(1, 5000), storagetest.Random(2, 20<<20)
			put(t, s, "small", small)
			put(t, s, "large", large)
			put(t, s, "large", large)
			wantBody(t, s, "small", small)
			wantBody(t, s, "large", large)
			info, err := s.Stat(t.Context(), "large")
			if err != nil || info.SHA256 != storagetest.Digest(large) {
				t.Errorf("Stat = %+v, %v", info, err)
			}
			r, _, err := s.Open(t.Context(), "large")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			at := make([]byte, 100)
			if n, err := r.(io.ReaderAt).ReadAt(at, 17<<20); n != 100 || err != nil || !bytes.Equal(at, large[17<<20:17<<20+100]) {
				t.Errorf("ReadAt = %d, %v", n, err)
			}
			for _, key := range []string{"small", "large"} {
				oi, err := s.core.StatObject(t.Context(), s.opt.Bucket, s.opt.Prefix+key, minio.StatObjectOptions{ServerSideEncryption: s.readSSE})
				if err != nil || oi.Headers.Get(c.header) != c.want {
					t.Errorf("%s: %s is %q, %v, want %q", key, c.header, oi.Headers.Get(c.header), err, c.want)
				}
			}
			if s.readSSE != nil {
				other, err := encrypt.NewSSEC([]byte(strings.Repeat("x", 32)))
				if err != nil {
					t.Fatal(err)
				}
				s.readSSE = other
				if _, _, err := s.Open(t.Context(), "small"); err == nil {
					t.Error("another key opens the object")
				}
			}
		})
	}
}

func TestObjectLock(t *testing.T) { testObjectLock(t, servers.MinIO) }

func testObjectLock(t *testing.T, server func(testing.TB) (string, string, string)) {
	ctx := t.Context()
	for _, mode := range []LockMode{LockGovernance, LockCompliance} {
		t.Run(string(mode), func(t *testing.T) {
			s := onServer(t, server, func(o *Options) { o.ObjectLock, o.Lock = true, mode })
			if err := s.Check(ctx); err != nil {
				t.Fatal(err)
			}
			put(t, s, "a", []byte("x"))
			until := time.Now().Add(time.Hour).Truncate(time.Second)
			if err := s.Retain(ctx, "a", until); err != nil {
				t.Fatal(err)
			}
			lock, err := s.Lock(ctx, "a")
			if err != nil || !lock.Until.Equal(until) || lock.Hold {
				t.Errorf("Lock = %+v, %v, want until %v", lock, err, until)
			}
			if err := s.Retain(ctx, "a", until.Add(-time.Minute)); err != nil {
				t.Errorf("a shorter retention is no error, it changes nothing: %v", err)
			}
			if err := s.Retain(ctx, "a", until.Add(time.Minute)); err != nil {
				t.Errorf("a longer retention: %v", err)
			}
			if lock, err := s.Lock(ctx, "a"); err != nil || !lock.Until.Equal(until.Add(time.Minute)) {
				t.Errorf("Lock = %+v, %v", lock, err)
			}
			for name, err := range map[string]error{"Delete": s.Delete(ctx, "a"), "Erase": s.Erase(ctx, "a"), "storage.Erase": storage.Erase(ctx, s, "a")} {
				if !errors.Is(err, storage.ErrLocked) {
					t.Errorf("%s of a retained object: %v, want ErrLocked", name, err)
				}
			}
			// The server itself keeps the bytes, not only our asking first.
			versions, err := s.versions(ctx, s.name("a"))
			if err != nil || len(versions) != 1 {
				t.Fatalf("versions: %v, %v", versions, err)
			}
			if err := s.remove(ctx, s.name("a"), versions[0].VersionID); err == nil {
				t.Error("the server removed a retained version")
			}
			wantBody(t, s, "a", []byte("x"))
			put(t, s, "a", []byte("x")) // the same bytes again

			large := storagetest.Random(1, 20<<20)
			put(t, s, "hold", large)
			if err := s.Hold(ctx, "hold", true); err != nil {
				t.Fatal(err)
			}
			if lock, err := s.Lock(ctx, "hold"); err != nil || !lock.Hold || !lock.Until.IsZero() {
				t.Errorf("Lock = %+v, %v", lock, err)
			}
			if err := s.Erase(ctx, "hold"); !errors.Is(err, storage.ErrLocked) {
				t.Errorf("Erase under a legal hold: %v, want ErrLocked", err)
			}
			if err := s.Hold(ctx, "hold", false); err != nil {
				t.Fatal(err)
			}
			if err := s.Erase(ctx, "hold"); err != nil {
				t.Errorf("Erase after the hold was lifted: %v", err)
			}
			if _, err := s.Stat(ctx, "hold"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Stat after Erase: %v", err)
			}
			for name, err := range map[string]error{"Retain": s.Retain(ctx, "missing", until), "Hold": s.Hold(ctx, "missing", true)} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s of a missing object: %v", name, err)
				}
			}
		})
	}
}

func TestNoObjectLock(t *testing.T) {
	s := onServer(t, servers.MinIO, nil)
	put(t, s, "a", []byte("x"))
	for name, err := range map[string]error{"Retain": s.Retain(t.Context(), "a", time.Now().Add(time.Hour)), "Hold": s.Hold(t.Context(), "a", true)} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s in a bucket without object lock: %v", name, err)
		}
	}
	s.opt.ObjectLock = true
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "object lock") {
		t.Errorf("Check of a bucket that was made without object lock: %v", err)
	}
}

func TestVersions(t *testing.T) {
	t.Run("minio", func(t *testing.T) { testVersions(t, servers.MinIO, true) })
	// versitygw counts the marker as an object and refuses to write.
	t.Run("versity", func(t *testing.T) { testVersions(t, servers.Versity, false) })
}

// testVersions: overMarker says whether the server lets an object be written anew
// whose latest version is a delete marker.
func testVersions(t *testing.T, server func(testing.TB) (string, string, string), overMarker bool) {
	ctx := t.Context()
	s := onServer(t, server, nil)
	if err := s.core.EnableVersioning(ctx, s.opt.Bucket); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", []byte("first"))
	put(t, s, "ab", []byte("neighbour"))
	if err := s.Put(ctx, "a", strings.NewReader("second"), storage.Info{}); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put of other bytes: %v", err)
	}
	if err := s.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(ctx, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat after Delete: %v", err)
	}
	err := s.Put(ctx, "a", strings.NewReader("third"), storage.Info{})
	if !overMarker {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Put over a delete marker: %v", err)
		}
	} else {
		if err != nil {
			t.Fatal(err)
		}
		wantBody(t, s, "a", []byte("third"))
		if v, err := s.versions(ctx, s.name("a")); err != nil || len(v) != 3 {
			t.Errorf("versions before Erase: %d, %v, want object, marker, object", len(v), err)
		}
	}
	if err := s.Erase(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if v, err := s.versions(ctx, s.name("a")); err != nil || len(v) != 0 {
		t.Errorf("versions after Erase: %v, %v", v, err)
	}
	if err := s.Erase(ctx, "a"); err != nil {
		t.Errorf("Erase of a missing object: %v", err)
	}
	wantBody(t, s, "ab", []byte("neighbour"))
	put(t, s, "a", []byte("fourth"))
	wantBody(t, s, "a", []byte("fourth"))
}

func TestEraseWithoutVersions(t *testing.T) {
	for name, server := range map[string]func(testing.TB) (string, string, string){"minio": servers.MinIO, "versity": servers.Versity} {
		t.Run(name, func(t *testing.T) {
			s := onServer(t, server, nil)
			put(t, s, "a", []byte("x"))
			put(t, s, "ab", []byte("y"))
			if err := s.Erase(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Stat after Erase: %v", err)
			}
			wantBody(t, s, "ab", []byte("y"))
		})
	}
}

func TestEnsureBucket(t *testing.T) {
	s := onServer(t, servers.MinIO, nil)
	if err := s.EnsureBucket(t.Context()); err != nil {
		t.Errorf("a second time: %v", err)
	}
	o := s.opt
	o.Bucket += "-missing"
	m, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	err = m.Put(t.Context(), "a", strings.NewReader("x"), storage.Info{})
	if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), o.Bucket) {
		t.Errorf("Put without a bucket: %v", err)
	}
	if err := m.Check(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Check without a bucket: %v", err)
	}
}

// TestRights: with each right taken away, Check names it.
func TestRights(t *testing.T) {
	s := onServer(t, servers.MinIO, func(o *Options) { o.ObjectLock, o.Lock = true, LockGovernance })
	put(t, s, "there", []byte("x"))
	all := map[string]string{"s3:PutObject": "/*", "s3:GetObject": "/*", "s3:DeleteObject": "/*", "s3:ListBucket": "",
		"s3:DeleteObjectVersion":        "/*", // s3:ListBucketVersions MinIO takes from s3:ListBucket
		"s3:ListBucketMultipartUploads": "", "s3:AbortMultipartUpload": "/*",
		"s3:GetBucketObjectLockConfiguration": "", "s3:GetObjectRetention": "/*", "s3:GetObjectLegalHold": "/*", "s3:PutObjectRetention": "/*", "s3:PutObjectLegalHold": "/*"}
	with := func(t *testing.T, without string) *Store {
		t.Helper()
		var statements []map[string]any
		for right, resource := range all {
			if right != without {
				statements = append(statements, map[string]any{"Effect": "Allow", "Action": []string{right}, "Resource": []string{"arn:aws:s3:::" + s.opt.Bucket + resource}})
			}
		}
		policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
		if err != nil {
			t.Fatal(err)
		}
		creds, err := credentials.NewSTSAssumeRole(s.opt.Endpoint, credentials.STSAssumeRoleOptions{
			AccessKey: s.opt.AccessKey, SecretKey: s.opt.SecretKey, Location: "us-east-1", Policy: string(policy), DurationSeconds: 3600})
		if err != nil {
			t.Fatal(err)
		}
		v, err := creds.GetWithContext(&credentials.CredContext{Client: http.DefaultClient})
		if err != nil {
			t.Fatal(err)
		}
		o := s.opt
		o.AccessKey, o.SecretKey, o.SessionToken = v.AccessKeyID, v.SecretAccessKey, v.SessionToken
		limited, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return limited
	}
	if err := with(t, "").Check(t.Context()); err != nil {
		t.Errorf("Check with all rights: %v", err)
	}
	for right := range all {
		t.Run(right, func(t *testing.T) {
			err := with(t, right).Check(t.Context())
			if !errors.Is(err, storage.ErrDenied) || !strings.Contains(err.Error(), right+" ") || !strings.Contains(err.Error(), s.opt.Bucket) {
				t.Errorf("Check without %s: %v", right, err)
			}
			for other := range all {
				if right == "s3:DeleteObject" && other == "s3:DeleteObjectVersion" {
					continue // which MinIO gives with that only
				}
				if other != right && err != nil && strings.Contains(err.Error(), other+" ") {
					t.Errorf("Check without %s complains about %s: %v", right, other, err)
				}
			}
		})
	}
	for name, change := range map[string]func(*Options){
		"unknown key":  func(o *Options) { o.AccessKey = "nobody" },
		"wrong secret": func(o *Options) { o.SecretKey = "wrong-secret" },
	} {
		o := s.opt
		change(&o)
		wrong, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := wrong.Put(t.Context(), "a", strings.NewReader("x"), storage.Info{}); !errors.Is(err, storage.ErrDenied) || strings.Contains(err.Error(), "wrong-secret") {
			t.Errorf("Put with %s: %v", name, err)
		}
	}
}

// TestCredentials: from the environment, from the shared file, from a role.
func TestCredentials(t *testing.T) {
	s := onServer(t, servers.MinIO, nil)
	// The address that a container asks for the keys of its role.
	role := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"AccessKeyId": s.opt.AccessKey, "SecretAccessKey": s.opt.SecretKey, "Token": "", "Expiration": time.Now().Add(time.Hour)})
	}))
	defer role.Close()
	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	empty := filepath.Join(t.TempDir(), "none")
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[kho]\naws_access_key_id = "+s.opt.AccessKey+"\naws_secret_access_key = "+s.opt.SecretKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string]map[string]string{
		"aws":   {"AWS_ACCESS_KEY_ID": s.opt.AccessKey, "AWS_SECRET_ACCESS_KEY": s.opt.SecretKey},
		"minio": {"MINIO_ACCESS_KEY": s.opt.AccessKey, "MINIO_SECRET_KEY": s.opt.SecretKey},
		"root":  {"MINIO_ROOT_USER": s.opt.AccessKey, "MINIO_ROOT_PASSWORD": s.opt.SecretKey},
		"file":  {"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_PROFILE": "kho"},
		"role":  {"AWS_CONTAINER_CREDENTIALS_FULL_URI": role.URL},
		"none":  {"AWS_CONTAINER_CREDENTIALS_FULL_URI": nothing.URL},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
				"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"} {
				t.Setenv(k, "")
			}
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", empty)
			for k, v := range env {
				t.Setenv(k, v)
			}
			o, err := Parse(fmt.Sprintf("s3://%s/x?endpoint=%s&region=us-east-1", s.opt.Bucket, url.QueryEscape(s.opt.Endpoint)))
			if err != nil {
				t.Fatal(err)
			}
			c, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			err = c.Check(t.Context())
			if name == "none" {
				if !errors.Is(err, storage.ErrDenied) || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
					t.Errorf("Check without credentials: %v", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestReadByRclone: another client lists, reads and checks what we wrote, and
// reads its metadata.
func TestReadByRclone(t *testing.T) {
	rclone := testneed.Tool(t, "rclone", "apt-get install rclone")
	s := onServer(t, servers.MinIO, func(o *Options) { o.Prefix = "" })
	body, large := storagetest.Random(1, 5000), storagetest.Random(2, 20<<20)
	info := storage.Info{ContentType: "application/pdf", Meta: map[string]string{"document": "0192f3c4", "dossier": "H51.04-240830-0001", "name": "Giấy phép"}}
	if err := s.Put(t.Context(), "hồ sơ/bản gốc.pdf", bytes.NewReader(body), info); err != nil {
		t.Fatal(err)
	}
	put(t, s, "hồ sơ/lớn.pdf", large)
	dir := t.TempDir()
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(rclone, args...)
		cmd.Env = rcloneEnv(s, dir)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("rclone %v: %v\n%s", args, err, errs.Bytes())
		}
		return out.Bytes()
	}
	root := "kho:" + s.opt.Bucket
	if got := run("cat", root+"/hồ sơ/bản gốc.pdf"); !bytes.Equal(got, body) {
		t.Errorf("rclone reads %d bytes", len(got))
	}
	var list []struct {
		Path, MimeType string
		Size           int64
		Metadata       map[string]string
	}
	if err := json.Unmarshal(run("lsjson", "-R", "--files-only", "-M", root), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 {
		t.Fatalf("rclone lists %+v", list)
	}
	found := false
	for _, o := range list {
		if o.Path != "hồ sơ/bản gốc.pdf" {
			continue
		}
		found = true
		if o.MimeType != "application/pdf" || o.Metadata["sha256"] != storagetest.Digest(body) || o.Metadata["dossier"] != "H51.04-240830-0001" ||
			o.Metadata["name"] != storage.EncodeMeta("Giấy phép") && o.Metadata["name"] != "Giấy phép" {
			t.Errorf("rclone says %+v", o)
		}
	}
	if !found {
		t.Errorf("rclone lists %+v", list)
	}
	// And what it copies away is whole.
	run("copy", root, dir)
	if got, err := os.ReadFile(filepath.Join(dir, "hồ sơ", "lớn.pdf")); err != nil || !bytes.Equal(got, large) {
		t.Errorf("rclone copied %d bytes, %v", len(got), err)
	}
}

// TestReadByAWS: so does Amazon's own client, the most used of all.
func TestReadByAWS(t *testing.T) {
	aws := testneed.Tool(t, "aws", "apt-get install awscli")
	s := onServer(t, servers.MinIO, func(o *Options) { o.Prefix = "" })
	body := storagetest.Random(1, 5000)
	info := storage.Info{ContentType: "application/pdf", Meta: map[string]string{"document": "0192f3c4", "dossier": "H51.04-240830-0001", "name": "Giấy phép"}}
	if err := s.Put(t.Context(), "hồ sơ/bản gốc.pdf", bytes.NewReader(body), info); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.pdf")
	cmd := exec.Command(aws, "s3api", "get-object", "--endpoint-url", s.opt.Endpoint, "--bucket", s.opt.Bucket, "--key", "hồ sơ/bản gốc.pdf", "--output", "json", out)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "AWS_ACCESS_KEY_ID="+s.opt.AccessKey, "AWS_SECRET_ACCESS_KEY="+s.opt.SecretKey, "AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "LC_ALL=C.UTF-8", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("aws: %v\n%s", err, stderr.Bytes())
	}
	var said struct {
		ContentType   string
		ContentLength int64
		Metadata      map[string]string
	}
	if err := json.Unmarshal(stdout.Bytes(), &said); err != nil {
		t.Fatal(err)
	}
	if said.ContentType != "application/pdf" || said.ContentLength != 5000 || said.Metadata["sha256"] != storagetest.Digest(body) ||
		said.Metadata["dossier"] != "H51.04-240830-0001" || said.Metadata["name"] != storage.EncodeMeta("Giấy phép") {
		t.Errorf("aws says %+v", said)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, body) {
		t.Errorf("aws reads %d bytes, %v", len(got), err)
	}
}

// TestReadByMC: and MinIO's.
func TestReadByMC(t *testing.T) {
	mc := testneed.Tool(t, "mc", "run `make tools`, which runs scripts/test-servers.sh")
	s := onServer(t, servers.MinIO, func(o *Options) { o.Prefix = "" })
	body := storagetest.Random(1, 5000)
	info := storage.Info{ContentType: "application/pdf", Meta: map[string]string{"document": "0192f3c4", "dossier": "H51.04-240830-0001", "name": "Giấy phép"}}
	if err := s.Put(t.Context(), "hồ sơ/bản gốc.pdf", bytes.NewReader(body), info); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	host := strings.Replace(s.opt.Endpoint, "://", "://"+s.opt.AccessKey+":"+s.opt.SecretKey+"@", 1)
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(mc, append([]string{"--config-dir", dir}, args...)...)
		cmd.Env = append(os.Environ(), "MC_HOST_kho="+host, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("mc %v: %v\n%s", args, err, errs.Bytes())
		}
		return out.Bytes()
	}
	name := "kho/" + s.opt.Bucket + "/hồ sơ/bản gốc.pdf"
	if got := run("cat", name); !bytes.Equal(got, body) {
		t.Errorf("mc reads %d bytes", len(got))
	}
	var said struct {
		Size     int64
		Metadata map[string]string
	}
	if err := json.Unmarshal(run("stat", "--json", name), &said); err != nil {
		t.Fatal(err)
	}
	if said.Size != 5000 || said.Metadata["Content-Type"] != "application/pdf" || said.Metadata["X-Amz-Meta-Sha256"] != storagetest.Digest(body) ||
		said.Metadata["X-Amz-Meta-Dossier"] != "H51.04-240830-0001" || said.Metadata["X-Amz-Meta-Name"] != storage.EncodeMeta("Giấy phép") {
		t.Errorf("mc says %+v", said)
	}
}

// TestForeignObject: an object that another client put, without our metadata.
func TestForeignObject(t *testing.T) {
	s := onServer(t, servers.MinIO, nil)
	_, err := s.core.Client.PutObject(t.Context(), s.opt.Bucket, s.opt.Prefix+"a", strings.NewReader("body"), 4,
		minio.PutObjectOptions{UserMetadata: map[string]string{"X": "=?utf-8?b?broken"}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", []byte("body"))
	if err := s.Put(t.Context(), "a", strings.NewReader("BODY"), storage.Info{}); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put of other bytes of the same length: %v", err)
	}
}

// TestAbortStale runs against versitygw; MinIO lists no uploads below a prefix
// and removes stale ones by itself.
func TestAbortStale(t *testing.T) { testAbortStale(t, servers.Versity) }

func testAbortStale(t *testing.T, server func(testing.TB) (string, string, string)) {
	s := onServer(t, server, nil)
	for range 3 {
		if _, err := s.core.NewMultipartUpload(t.Context(), s.opt.Bucket, s.opt.Prefix+"a/b", minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		before time.Time
		dry    bool
		want   int
	}{{time.Now().Add(-time.Hour), false, 0}, {time.Now().Add(time.Hour), true, 3}, {time.Now().Add(time.Hour), false, 3}, {time.Now().Add(time.Hour), false, 0}} {
		if n, err := s.AbortStale(t.Context(), c.before, c.dry); err != nil || n != c.want {
			t.Errorf("AbortStale(%v, %v) = %d, %v, want %d", c.before, c.dry, n, err, c.want)
		}
	}
}
