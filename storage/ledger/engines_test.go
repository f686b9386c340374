package ledger

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/internal/testneed"
)

// engines runs the test on SQLite and on PostgreSQL. new opens an empty,
// migrated ledger that the test closes with itself.
func engines(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteDSN(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresDSN(t)) })
}

func sqliteDSN(t testing.TB) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "ledger.db")
}

// open opens the ledger and brings it to the schema.
func open(t testing.TB, dsn string, o Options) *Ledger {
	t.Helper()
	if o.Log.GetLevel() == zerolog.TraceLevel {
		o.Log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel)
	}
	l, err := Open(t.Context(), dsn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// server is the PostgreSQL of this run of the tests.
var server struct {
	once sync.Once
	dir  string
	url  url.URL
	cmd  *exec.Cmd
	err  error
	n    atomic.Int64

	template sync.Once
}

// postgresDSN returns the address of an empty database of its own.
func postgresDSN(t testing.TB) string {
	t.Helper()
	bin := postgresBin(t)
	server.once.Do(func() { server.err = startPostgres(bin) })
	if server.err != nil {
		t.Fatalf("start PostgreSQL: %v", server.err)
	}
	name := fmt.Sprintf("ledger_%d", server.n.Add(1))
	admin := server.url
	admin.Path = "/postgres"
	server.template.Do(func() { server.err = makeTemplate(admin) })
	if server.err != nil {
		t.Fatalf("make the template: %v", server.err)
	}
	db, err := sql.Open("pgx", admin.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template_ledger"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db, err := sql.Open("pgx", admin.String())
		if err != nil {
			t.Error(err)
			return
		}
		defer db.Close()
		if _, err := db.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	u := server.url
	u.Path = "/" + name
	return u.String()
}

// makeTemplate makes a migrated database to copy: migrating takes a second, a
// copy a moment.
func makeTemplate(admin url.URL) error {
	db, err := sql.Open("pgx", admin.String())
	if err != nil {
		return err
	}
	defer db.Close()
	ctx := context.Background()
	if _, err := db.ExecContext(ctx, "CREATE DATABASE template_ledger"); err != nil {
		return err
	}
	u := server.url
	u.Path = "/template_ledger"
	l, err := Open(ctx, u.String(), Options{Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Migrate(ctx)
}

// postgresBin finds the newest installed PostgreSQL.
func postgresBin(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		if p, err := exec.LookPath("initdb"); err == nil {
			return filepath.Dir(p)
		}
		testneed.Missing(t, "PostgreSQL", "apt-get install postgresql")
	}
	slices.SortFunc(found, func(a, b string) int { return major(a) - major(b) })
	return filepath.Dir(found[len(found)-1])
}

func major(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

func startPostgres(bin string) error {
	dir, err := os.MkdirTemp("", "sohoa-postgres-")
	if err != nil {
		return err
	}
	server.dir = dir
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		who, err := user.Lookup("postgres")
		if err != nil {
			who, err = user.Lookup("nobody")
		}
		if err != nil {
			return err
		}
		uid, err := strconv.Atoi(who.Uid)
		if err != nil {
			return err
		}
		gid, err := strconv.Atoi(who.Gid)
		if err != nil {
			return err
		}
		if err := os.Chown(dir, uid, gid); err != nil {
			return err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "sohoa", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = &syscall.SysProcAttr{Credential: attr.Credential}, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	server.url = url.URL{Scheme: "postgres", User: url.User("sohoa"), Host: fmt.Sprintf("127.0.0.1:%d", port), RawQuery: "sslmode=disable"}
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "shared_buffers=512MB", "-c", "log_min_messages=fatal",
		"-c", "max_wal_size=4GB")
	if f := flag.Lookup("test.bench"); f == nil || f.Value.String() == "" { // nobody pulls the plug on a test; figures are for a durable database
		cmd.Args = append(cmd.Args, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
	}
	cmd.SysProcAttr, cmd.Dir = attr, dir
	if err := cmd.Start(); err != nil {
		return err
	}
	server.cmd = cmd
	admin := server.url
	admin.Path = "/postgres"
	for range 300 {
		db, err := sql.Open("pgx", admin.String())
		if err != nil {
			return err
		}
		err = db.Ping()
		db.Close()
		if err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("PostgreSQL does not answer")
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.cmd != nil {
		server.cmd.Process.Signal(syscall.SIGINT)
		server.cmd.Wait()
	}
	removeBenchDirs()
	if server.dir != "" {
		os.RemoveAll(server.dir)
	}
	os.Exit(code)
}
