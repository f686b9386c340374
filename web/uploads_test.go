package web_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline"
	"sohoa/storage/storagetest/flaky"
)

// tus asks the door for pieces; status 0: any.
func (h *house) tus(method, path, token string, body []byte, status int, header ...string) reply {
	h.t.Helper()
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	x := h.do(h.request(method, path, token, r, append([]string{"Tus-Resumable", "1.0.0"}, header...)...))
	if status != 0 && x.StatusCode != status {
		h.t.Fatalf("%s: %d, want %d: %s", method, x.StatusCode, status, x.body)
	}
	if x.Header.Get("Tus-Resumable") != "1.0.0" {
		h.t.Errorf("%s: Tus-Resumable %q", method, x.Header.Get("Tus-Resumable"))
	}
	return x
}

func metadata(kv ...string) string {
	var parts []string
	for i := 0; i+1 < len(kv); i += 2 {
		parts = append(parts, kv[i]+" "+base64.StdEncoding.EncodeToString([]byte(kv[i+1])))
	}
	return strings.Join(parts, ",")
}

// begin begins an upload and returns its path.
func (h *house) begin(token string, length int, meta ...string) string {
	h.t.Helper()
	r := h.tus("POST", "/api/v1/uploads", token, nil, 201, "Upload-Length", strconv.Itoa(length), "Upload-Metadata", metadata(meta...))
	return r.Header.Get("Location")
}

// offset is how much of an upload is there.
func (h *house) offset(path, token string) int {
	h.t.Helper()
	r := h.tus("HEAD", path, token, nil, 200)
	n, err := strconv.Atoi(r.Header.Get("Upload-Offset"))
	if err != nil || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Upload-Length") == "" {
		h.t.Fatal(err, r.Header)
	}
	return n
}

func piece(offset int) []string {
	return []string{"Upload-Offset", strconv.Itoa(offset), "Content-Type", "application/offset+octet-stream"}
}

func checksum(name string, h hash.Hash, b []byte) []string {
	h.Write(b)
	return []string{"Upload-Checksum", name + " " + base64.StdEncoding.EncodeToString(h.Sum(nil))}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// The protocol, point by point, and that what comes out at its end is a document
// like any other.
func TestUploadByPieces(t *testing.T) {
	h := newHouse(t, setup{})
	token := h.token(dossier.Clerk, "H51.10")
	file := scan(t, "accept/scan-a5-colour.pdf")
	half := len(file) / 2

	r := h.do(h.request("OPTIONS", "/api/v1/uploads", token, nil))
	for k, want := range map[string]string{"Tus-Version": "1.0.0", "Tus-Extension": "creation,creation-with-upload,checksum,expiration,termination",
		"Tus-Checksum-Algorithm": "sha256,sha1", "Tus-Max-Size": strconv.Itoa(8 << 20)} {
		if got := r.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	wantProblem(t, h.do(h.request("POST", "/api/v1/uploads", token, nil)), 412, "tus-version")

	meta := []string{"filename", "Đơn 100%.pdf", "dossier", strings.ToLower(code("H51.10", 1)), "kind", "component", "name", "Đơn đề nghị",
		"owner_id", "012345678901", "paper", "GT01", "issued_on", "2024-05-06", "sha256", hexSum(file)}
	up := h.begin(token, len(file), meta...)
	if !strings.HasPrefix(up, "/api/v1/uploads/") {
		t.Fatalf("Location %q", up)
	}
	if n := h.offset(up, token); n != 0 {
		t.Fatalf("%d bytes of nothing", n)
	}
	wantProblem(t, h.tus("PATCH", up, token, file[:half], 0, "Upload-Offset", "0"), 415, "tus-body")
	wantProblem(t, h.tus("PATCH", up, token, file[:half], 0, piece(1)...), 409, "upload-offset")
	wantProblem(t, h.tus("PATCH", up, token, append(bytes.Clone(file), 'x'), 0, piece(0)...), 400, "upload-length")
	wantProblem(t, h.tus("PATCH", up, token, file[:half], 0, append(piece(0), checksum("sha1", sha1.New(), []byte("other"))...)...), 460, "checksum-differs")
	wantProblem(t, h.tus("PATCH", up, token, file[:half], 0, append(piece(0), "Upload-Checksum", "md5 AAAA")...), 400, "bad-value")
	if n := h.offset(up, token); n != 0 {
		t.Fatalf("%d bytes were kept of what is wrong", n)
	}
	r = h.tus("PATCH", up, token, file[:half], 204, append(piece(0), checksum("sha1", sha1.New(), file[:half])...)...)
	if r.Header.Get("Upload-Offset") != strconv.Itoa(half) || r.Header.Get("Content-Location") != "" {
		t.Fatalf("%v", r.Header)
	}
	if at, err := http.ParseTime(r.Header.Get("Upload-Expires")); err != nil || at.Before(time.Now().Add(24*time.Hour)) {
		t.Errorf("expires at %v, %v", at, err)
	}
	if n := h.offset(up, token); n != half {
		t.Fatalf("offset %d, want %d", n, half)
	}
	// Where only POST gets through.
	r = h.tus("POST", up, token, file[half:], 204, append(append(piece(half), checksum("sha256", sha256.New(), file[half:])...), "X-HTTP-Method-Override", "PATCH")...)
	where := r.Header.Get("Content-Location")
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(file)) || !strings.HasPrefix(where, "/api/v1/documents/") {
		t.Fatalf("%v", r.Header)
	}
	if n := h.offset(up, token); n != len(file) {
		t.Errorf("offset %d after the end", n)
	}
	r = h.get(where, token, "Prefer", "wait=30")
	var d documentBody
	if r.json(t, &d); d.State != dossier.Stored || d.Slip.FileName != "Đơn 100%.pdf" || d.Slip.Name != "Đơn đề nghị" || d.Slip.OwnerID != "012345678901" ||
		d.Slip.Paper != "GT01" || d.Slip.IssuedOn != 20240506 || string(d.Original.SHA256) != hexSum(file) || d.Slip.Dossier != dossier.Code(code("H51.10", 1)) {
		t.Fatalf("%s", r.body)
	}
	if r = h.get(where+"/original", token); !bytes.Equal(r.body, file) {
		t.Error("the original differs")
	}

	// What is known by its digest is not sent again.
	r = h.tus("POST", "/api/v1/uploads", token, nil, 201, "Upload-Length", strconv.Itoa(len(file)), "Upload-Metadata", metadata(meta...))
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(file)) || r.Header.Get("Content-Location") != where {
		t.Errorf("again: %v", r.Header)
	}
	if n := h.offset(r.Header.Get("Location"), token); n != len(file) {
		t.Errorf("again: offset %d", n)
	}

	// All in one request.
	page := scan(t, "accept/page.png")
	r = h.tus("POST", "/api/v1/uploads", token, page, 201, "Upload-Length", strconv.Itoa(len(page)), "Content-Type", "application/offset+octet-stream",
		"Upload-Metadata", metadata("dossier", code("H51.10", 1), "kind", "component"))
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(page)) || r.Header.Get("Content-Location") == "" {
		t.Errorf("at once: %v", r.Header)
	}

	// A whole that is not what was promised is not taken, and is begun anew.
	up = h.begin(token, len(page), "dossier", code("H51.10", 2), "kind", "component", "sha256", hexSum(file))
	wantProblem(t, h.tus("PATCH", up, token, page, 0, piece(0)...), 400, "digest-differs")
	if r = h.tus("HEAD", up, token, nil, 404); len(r.body) > 0 {
		t.Errorf("HEAD with a body: %s", r.body)
	}
	// Termination.
	up = h.begin(token, len(page), "dossier", code("H51.10", 2), "kind", "component")
	h.tus("PATCH", up, token, page[:10], 204, piece(0)...)
	h.tus("DELETE", up, token, nil, 204)
	wantProblem(t, h.tus("PATCH", up, token, page[10:], 0, piece(10)...), 404, "no-upload")

	for name, c := range map[string]struct {
		length, meta, code string
		status             int
	}{
		"no length":       {"", metadata("dossier", code("H51.10", 2), "kind", "component"), "bad-value", 400},
		"too large":       {strconv.Itoa(9 << 20), metadata("dossier", code("H51.10", 2), "kind", "component"), "too-large", 413},
		"no base64":       {"10", "dossier !", "bad-value", 400},
		"no dossier":      {"10", metadata("kind", "component"), "bad-value", 400},
		"another's":       {"10", metadata("dossier", code("H51.11", 1), "kind", "component"), "out-of-scope", 403},
		"unknown replace": {"10", metadata("dossier", code("H51.10", 2), "kind", "component", "replaces", "x"), "unknown-document", 404},
		"malformed code":  {"10", metadata("dossier", "H51.10-241301-0001", "kind", "component"), "wrong-dossier", 422},
		"a bad digest":    {"10", metadata("dossier", code("H51.10", 2), "kind", "component", "sha256", "00"), "bad-value", 400},
	} {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, h.tus("POST", "/api/v1/uploads", token, nil, 0, "Upload-Length", c.length, "Upload-Metadata", c.meta), c.status, c.code)
		})
	}
	wantProblem(t, h.tus("PATCH", "/api/v1/uploads/no-id", token, page, 0, piece(0)...), 404, "no-upload")
	if strings.Contains(h.log.String(), "012345678901") {
		t.Error("the log has an owner id")
	}
}

func TestUploadExpires(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	token := h.token(dossier.Clerk, "H51.10")
	up := h.begin(token, 100, "dossier", code("H51.10", 1), "kind", "component")
	h.tus("PATCH", up, token, []byte("0123456789"), 204, piece(0)...)
	h.pipeline.Now = func() time.Time { return time.Now().Add(pipeline.UploadLife) }
	h.tus("HEAD", up, token, nil, 410)
	wantProblem(t, h.tus("PATCH", up, token, []byte("x"), 0, piece(10)...), 410, "upload-expired")
}

// A line that breaks in the middle of a piece loses only what was under way; an
// answer that is lost loses nothing.
func TestUploadOverABadLine(t *testing.T) {
	h := newHouse(t, setup{})
	token := h.token(dossier.Clerk, "H51.10")
	file := scan(t, "accept/scan-a5-colour.pdf")
	line := flaky.New(t, h.URL)
	up := h.begin(token, len(file), "dossier", code("H51.10", 1), "kind", "component", "sha256", hexSum(file))
	var fault atomic.Int64
	line.Plan(func(*http.Request) flaky.Fault { return flaky.Fault(fault.Swap(int64(flaky.None))) })
	send := func(offset int) error {
		req := h.request("PATCH", up, token, bytes.NewReader(file[offset:]), append(piece(offset), "Tus-Resumable", "1.0.0")...)
		req.URL.Host = strings.TrimPrefix(line.URL(), "http://")
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	fault.Store(int64(flaky.CutRequest))
	if err := send(0); err == nil {
		t.Fatal("the line was not cut")
	}
	at := 0
	for deadline := time.Now().Add(30 * time.Second); at == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		at = h.offset(up, token) // what arrived is kept a moment after the cut
	}
	if at == 0 || at >= len(file) {
		t.Fatalf("%d of %d bytes are there after a cut in the middle", at, len(file))
	}
	fault.Store(int64(flaky.LoseAnswer))
	if err := send(at); err == nil {
		t.Fatal("the answer was not lost")
	}
	if n := h.offset(up, token); n != len(file) {
		t.Fatalf("%d of %d bytes are there", n, len(file))
	}
	docs, err := h.ledger.Documents(context.Background(), dossier.Code(code("H51.10", 1)))
	if err != nil || len(docs) != 1 || string(docs[0].Intake.Original.SHA256) != hexSum(file) {
		t.Errorf("%d documents, %v", len(docs), err)
	}
	t.Logf("cut after %d of %d bytes, gone on from there", at, len(file))
}

// tusRun is what testdata/tus/send.cjs says of a run of tus-js-client.
type tusRun struct {
	OK       bool
	Error    string
	Resumed  bool
	First    int // offset at which the first PATCH of the run began; -1: none
	Document string
}

// TestTusJSClient has the client that others use send through a bad line: cut in
// the middle, gone on with by another process, gone on with by itself, with a
// checksum for each piece, and not at all where the bytes are known.
func TestTusJSClient(t *testing.T) {
	node := testneed.Tool(t, "node", "apt-get install nodejs")
	modules := filepath.Join(testneed.Root(t), "bin", "tus", "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "tus-js-client")); err != nil {
		testneed.Missing(t, "tus-js-client", "run scripts/tus.sh")
	}
	h := newHouse(t, setup{})
	token := h.token(dossier.Clerk, "H51.10")
	line := flaky.New(t, h.URL)
	dir := t.TempDir()
	// More than a scan weighs, so that there is a middle.
	content := scan(t, "accept/scan-a5-colour.pdf")
	content = append(content, bytes.Repeat([]byte("%"), 3<<20)...)
	path := filepath.Join(dir, "Đơn.pdf")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64 // bytes of pieces since the last run began
	run := func(n int, retry, checksums bool, plan func(*http.Request) flaky.Fault) tusRun {
		t.Helper()
		sent.Store(0)
		line.Plan(func(r *http.Request) flaky.Fault {
			f := plan(r)
			if r.Method == "PATCH" && f == flaky.None {
				sent.Add(r.ContentLength)
			}
			return f
		})
		in, err := json.Marshal(map[string]any{"endpoint": line.URL() + "/api/v1/uploads", "token": token, "file": path, "store": filepath.Join(dir, "urls"),
			"retry": retry, "checksums": checksums,
			"metadata": map[string]string{"dossier": code("H51.10", n), "kind": "component", "filename": "Đơn.pdf", "sha256": hexSum(content)}})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(node, filepath.Join("testdata", "tus", "send.cjs"))
		cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
		cmd.Stdin = bytes.NewReader(in)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		var x tusRun
		if jerr := json.Unmarshal(out, &x); err != nil || jerr != nil {
			t.Fatalf("%v %v %s %s", err, jerr, out, &stderr)
		}
		return x
	}
	good := func(*http.Request) flaky.Fault { return flaky.None }
	stored := func(x tusRun, n int) {
		t.Helper()
		r := h.get(x.Document, token, "Prefer", "wait=30")
		var d documentBody
		if r.json(t, &d); !x.OK || d.State != dossier.Stored || string(d.Original.SHA256) != hexSum(content) || d.Slip.FileName != "Đơn.pdf" {
			t.Fatalf("%+v %s", x, r.body)
		}
		docs, err := h.ledger.Documents(context.Background(), dossier.Code(code("H51.10", n)))
		if err != nil || len(docs) != 1 {
			t.Errorf("%d documents, %v", len(docs), err)
		}
	}

	// Cut in the middle, and then nothing gets through: the process ends.
	var cut atomic.Bool
	var up atomic.Value
	x := run(1, false, false, func(r *http.Request) flaky.Fault {
		if r.Method == "PATCH" && !cut.Swap(true) {
			up.Store(r.URL.Path)
			return flaky.CutRequest
		}
		if cut.Load() {
			return flaky.Reset
		}
		return flaky.None
	})
	if x.OK || !cut.Load() {
		t.Fatalf("%+v", x)
	}
	for deadline := time.Now().Add(30 * time.Second); h.offset(up.Load().(string), token) < len(content)/4 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // what arrived is kept a moment after the cut
	}
	x = run(1, false, false, good)
	if stored(x, 1); !x.Resumed || x.First < len(content)/4 || sent.Load() > int64(len(content)-x.First) {
		t.Errorf("gone on from %d, %d bytes sent: %+v", x.First, sent.Load(), x)
	}
	t.Logf("another process went on from %d of %d bytes", x.First, len(content))

	// Cut twice, busy once: it comes through by itself, with checksums.
	var n atomic.Int64
	x = run(2, true, true, func(r *http.Request) flaky.Fault {
		if r.Method != "PATCH" {
			return flaky.None
		}
		switch n.Add(1) {
		case 2, 4:
			return flaky.CutRequest
		case 6:
			return flaky.LoseAnswer
		}
		return flaky.None
	})
	if stored(x, 2); n.Load() < 7 {
		t.Errorf("%d pieces", n.Load())
	}

	// The same again: not a byte of it.
	if x = run(2, true, false, good); !x.OK || sent.Load() != 0 {
		t.Errorf("%d bytes sent again: %+v", sent.Load(), x)
	}
}
