package s3

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sohoa/storage"
	"sohoa/storage/storagetest"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]Options{
		"s3://kho":            {Bucket: "kho", Endpoint: "https://s3.us-east-1.amazonaws.com"},
		"s3://kho/?region=ap": {Bucket: "kho", Region: "ap", Endpoint: "https://s3.ap.amazonaws.com"},
		"s3://kho/a/b/?endpoint=http://127.0.0.1:9000&region=vn&path-style=true": {
			Bucket: "kho", Prefix: "a/b/", Endpoint: "http://127.0.0.1:9000", Region: "vn", Style: StylePath},
		"s3://kho/l%C6%B0u?endpoint=https://s3.example.vn&path-style=false&ca=/etc/ca.pem&sse=kms:khoa&object-lock=compliance&part-size=64&parallel=8&attempts=3": {
			Bucket: "kho", Prefix: "lưu/", Endpoint: "https://s3.example.vn", Style: StyleVirtualHost, CAFile: "/etc/ca.pem",
			Encryption: EncryptKMS, KMSKey: "khoa", ObjectLock: true, Lock: LockCompliance, PartSize: 64 << 20, Parallel: 8, Attempts: 3},
		"s3://kho?sse=c&sse-key-file=/k": {Bucket: "kho", Endpoint: "https://s3.us-east-1.amazonaws.com", Encryption: EncryptCustomer, CustomerKeyFile: "/k"},
	} {
		got, err := Parse(in)
		if err != nil {
			t.Errorf("Parse(%q): %v", in, err)
		} else if got != want {
			t.Errorf("Parse(%q) = %s %s, want %s %s", in, got, secretly(got), want, secretly(want))
		}
	}
	for _, in := range []string{
		"", "kho", "http://kho", "s3:", "s3:///a", "s3://K", "s3://ab", "s3://a..b", "s3://kho:99", "s3://user:secret@kho",
		"s3://kho/../x", "s3://kho/.a", "s3://kho#x", "s3://kho?unknown=1", "s3://kho?region=a&region=b", "s3://kho?endpoint=ftp://x",
		"s3://kho?endpoint=http://u:secret@h", "s3://kho?endpoint=http://h/path", "s3://kho?endpoint=127.0.0.1:9000", "s3://kho?path-style=maybe", "s3://kho?sse=x",
		"s3://kho?sse=s3:key", "s3://kho?sse=c", "s3://kho?sse=c&sse-key-file=/k&endpoint=http://h", "s3://kho?sse-key-file=/k",
		"s3://kho?object-lock=", "s3://kho?object-lock=x", "s3://kho?part-size=4", "s3://kho?part-size=-1", "s3://kho?parallel=1000", "s3://kho?%zz",
	} {
		o, err := Parse(in)
		if err == nil {
			t.Errorf("Parse(%q) = %s, want an error", in, o)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("Parse(%q) repeats the secret: %v", in, err)
		}
	}
}

func secretly(o Options) string { type plain Options; return fmt.Sprintf("%+v", plain(o)) }

func TestOptionsKeepSecrets(t *testing.T) {
	o := Options{Bucket: "kho", AccessKey: "AK", SecretKey: "geheim", SessionToken: "geheim"}
	for _, f := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(f, o); strings.Contains(s, "geheim") {
			t.Errorf("%s prints %s", f, s)
		}
	}
}

func TestCustomerKey(t *testing.T) {
	dir := t.TempDir()
	for content, ok := range map[string]bool{
		"0123456789abcdef0123456789abcdef":                                   true,
		"3031323334353637383961626364656630313233343536373839616263646566\n": true,
		"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n":                     true,
		"short": false,
		"":      false,
	} {
		file := filepath.Join(dir, "key")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := customerKey(file)
		if ok != (err == nil) || ok && string(key) != "0123456789abcdef0123456789abcdef" {
			t.Errorf("key file %q: %q, %v", content, key, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"s3://kho", "s3://kho/a/b?endpoint=http://h:9&region=x&path-style=true", "s3://kho?sse=kms:x&part-size=5&object-lock=governance", "s3://[::1]/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := Parse(s)
		if err != nil {
			return
		}
		if err := o.check(); err != nil {
			t.Fatalf("Parse(%q) gives options that do not hold: %v", s, err)
		}
		if o.Prefix != "" && !strings.HasSuffix(o.Prefix, "/") {
			t.Fatalf("Parse(%q) gives the prefix %q", s, o.Prefix)
		}
		if o.Encryption == EncryptCustomer {
			return // would read a file
		}
		o.CAFile, o.AccessKey, o.SecretKey = "", "a", "b"
		st, err := Open(t.Context(), o)
		if err != nil {
			t.Fatalf("Open(Parse(%q)): %v", s, err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A body travels under its digest, which is signed, with the checksum that the
// server keeps and shows to other clients, and on the condition that its key is free.
func TestDigestsSent(t *testing.T) {
	body := []byte("a scan")
	var got http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("ETag", `"1"`)
	}))
	defer srv.Close()
	s, err := Open(t.Context(), Options{Endpoint: srv.URL, Bucket: "bucket", Region: "us-east-1", AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Put(t.Context(), "key", bytes.NewReader(body), storage.Info{})
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	sum := storagetest.Digest(body)
	if got.Get("X-Amz-Content-Sha256") != sum || got.Get(checksumHeader) != checksum(sum) || got.Get("If-None-Match") != "*" {
		t.Errorf("sent %v", got)
	}
	for _, header := range []string{"x-amz-content-sha256", checksumHeader, "if-none-match"} {
		if !strings.Contains(got.Get("Authorization"), header) {
			t.Errorf("%s is not signed: %s", header, got.Get("Authorization"))
		}
	}
}
