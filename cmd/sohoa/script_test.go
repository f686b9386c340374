package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sohoa/internal/testneed"
	"sohoa/storage/storagetest/servers"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sohoa": main})
}

// TestScripts runs testdata/script: the specification of the command line.
func TestScripts(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(testneed.Root(t), "testdata", "script", "*.txtar"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	runScripts(t, found, nil)
}

// TestRebuildOnPostgres: what comes back of an emptied ledger is the same on the
// other engine, too.
func TestRebuildOnPostgres(t *testing.T) {
	runScripts(t, []string{filepath.Join(testneed.Root(t), "testdata", "script", "rebuild.txtar")}, func() string { return postgresDSN(t) })
}

// ledgerKey is under what a script's environment keeps the maker of empty ledgers.
type ledgerKey struct{}

// runScripts runs scripts, each on a ledger in its --data or, where dsn makes one,
// on that.
func runScripts(t *testing.T, files []string, dsn func() string) {
	root := testneed.Root(t)
	testscript.Run(t, testscript.Params{
		Files: files,
		Setup: func(e *testscript.Env) error {
			e.Values[collectorKey{}] = &collectorStub{}
			e.Values[ledgerKey{}] = dsn
			if dsn != nil {
				e.Setenv("SOHOA_DATABASE", dsn())
			}
			e.Setenv("TESTDATA", filepath.Join(root, "testdata"))
			e.Setenv("SOHOA_LOG_LEVEL", "error")
			// The cache of the compiled PDFium is shared, so that it is made once.
			cache, err := os.UserCacheDir()
			e.Setenv("XDG_CACHE_HOME", cache)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"address": address,
			"ready":   ready,
			"flip":    flip,
			"until":   until,
			"folder":  folder,
			"noids":   noids,
			"call":    call,

			"collector": collector,
			"spans":     spans,
			"ask":       ask,
			"newledger": newledger,
		},
	})
}

// exits CODE COMMAND… runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// address VAR finds a free loopback address.
func address(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: address VAR")
	}
	port, err := servers.FreePort()
	ts.Check(err)
	ts.Setenv(args[0], "127.0.0.1:"+port)
}

// ready ADDRESS waits until the server there is ready.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDRESS")
	}
	for range 600 {
		resp, err := http.Get("http://" + args[0] + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("the server at %s did not become ready", args[0])
}

// ask STATUS TOKENFILE METHOD URL [JSON] asks a server, wants that status, and
// puts the answer into the file answer.
func ask(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 || len(args) > 5 {
		ts.Fatalf("usage: ask STATUS TOKENFILE METHOD URL [JSON]")
	}
	req, err := http.NewRequest(args[2], args[3], strings.NewReader(strings.Join(args[4:], "")))
	ts.Check(err)
	if len(args) == 5 {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[1])))
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if got := strconv.Itoa(resp.StatusCode); got != args[0] {
		ts.Fatalf("status %s, want %s: %s", got, args[0], b)
	}
	ts.Check(os.WriteFile(ts.MkAbs("answer"), b, 0o600))
}

// newledger takes the script's ledger away: the next command finds an empty one.
func newledger(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: newledger")
	}
	if dsn, ok := ts.Value(ledgerKey{}).(func() string); ok && dsn != nil {
		ts.Setenv("SOHOA_DATABASE", dsn())
		return
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		ts.Check(os.RemoveAll(ts.MkAbs("sohoa-data/ledger.db" + suffix)))
	}
}

// flip DIR NAME flips one bit of the first file of that name below DIR.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip DIR NAME")
	}
	var file string
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err == nil && file == "" && !strings.Contains(path, "/.") && d.Name() == args[1] {
			file = path
		}
		return err
	}))
	b, err := os.ReadFile(file)
	ts.Check(err)
	b[len(b)/2] ^= 1
	ts.Check(os.Chmod(file, 0o600))
	ts.Check(os.WriteFile(file, b, 0o600))
}

// call TOKENFILE METHOD URL [JSON] asks a server; its status and answer are the
// standard output, and ID is the first id in the answer.
func call(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: call TOKENFILE METHOD URL [JSON]")
	}
	req, err := http.NewRequest(args[1], args[2], strings.NewReader(strings.Join(args[3:], "")))
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[0])))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%d %s\n%s\n", resp.StatusCode, resp.Header.Get("Content-Type"), body)
	if m := regexp.MustCompile(`"id":"([^"]*)"`).FindSubmatch(body); m != nil {
		ts.Setenv("ID", string(m[1]))
	}
}

// noids FILE replaces every document's id in the file by a word and sorts its
// lines, so that two runs can be compared.
func noids(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: noids FILE")
	}
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	id := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	lines := strings.SplitAfter(string(id.ReplaceAll(b, []byte("ID"))), "\n")
	slices.Sort(lines)
	ts.Check(os.WriteFile(name, []byte(strings.Join(lines, "")), 0o600))
}

// until DIR PATTERN waits until a file below DIR has a name of that pattern.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: until DIR PATTERN")
	}
	for range 1200 {
		found := false
		err := filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				ok, merr := filepath.Match(args[1], d.Name())
				found = found || ok
				return merr
			}
			return nil
		})
		ts.Check(err)
		if found {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no %s appeared below %s", args[1], args[0])
}

// folder VAR DIR NAME sets VAR to the name of the folder of the only file of
// that name below DIR: the id of a document.
func folder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: folder VAR DIR NAME")
	}
	var found []string
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d os.DirEntry, err error) error {
		if err == nil && !strings.Contains(path, "/.") && d.Name() == args[2] {
			found = append(found, filepath.Base(filepath.Dir(path)))
		}
		return err
	}))
	if len(found) != 1 {
		ts.Fatalf("%d files %s below %s", len(found), args[2], args[1])
	}
	ts.Setenv(args[0], found[0])
}
