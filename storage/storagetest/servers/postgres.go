package servers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"sohoa/internal/testneed"
)

// PostgresServer is a PostgreSQL on a folder and a loopback port of its own.
type PostgresServer struct {
	bin, dir, port string
	durable        bool
	owner          *user.User // whom it runs as; nil: us
	cmd            *exec.Cmd
	stop           func() // of a shared one: never called; holding it keeps the pipe of Guard open

	template    sync.Once
	templateErr error
	n           atomic.Int64
}

// shared is the PostgreSQL of a test binary.
var shared struct {
	once   sync.Once
	server *PostgresServer
	err    error
}

// Postgres returns a PostgreSQL that the tests of a binary share and that ends
// with it. Unless durable, nothing waits for the disk: nobody pulls the plug on a
// test.
func Postgres(t testing.TB, durable bool) *PostgresServer {
	t.Helper()
	bin := postgresBin(t)
	shared.once.Do(func() {
		if shared.server, shared.err = makePostgres(bin, durable); shared.err != nil {
			return
		}
		s := shared.server
		if s.stop, shared.err = Guard(s.command(), s.dir, filepath.Join(s.dir, "log")); shared.err == nil {
			shared.err = s.wait()
		}
	})
	if shared.err != nil {
		t.Fatalf("start PostgreSQL: %v", shared.err)
	}
	return shared.server
}

// Database returns the address of a database of the test's own, which goes with
// the test. prepare brings the first one to its schema; the others are copies of
// it: migrating takes a second, a copy a moment.
func (s *PostgresServer) Database(t testing.TB, prepare func(dsn string) error) string {
	t.Helper()
	s.template.Do(func() {
		if s.templateErr = s.exec("CREATE DATABASE template_of_all"); s.templateErr == nil {
			s.templateErr = prepare(s.DSN("template_of_all"))
		}
	})
	if s.templateErr != nil {
		t.Fatalf("make the template: %v", s.templateErr)
	}
	name := fmt.Sprintf("test_%d", s.n.Add(1))
	if err := s.exec("CREATE DATABASE " + name + " TEMPLATE template_of_all"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return s.DSN(name)
}

// OwnPostgres starts a PostgreSQL of the test's own, durable, that can be stopped
// and started again.
func OwnPostgres(t testing.TB) *PostgresServer {
	t.Helper()
	s, err := makePostgres(postgresBin(t), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Stop(), os.RemoveAll(s.dir)); err != nil {
			t.Error(err)
		}
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// DSN is the address of a database; "postgres" is always there.
func (s *PostgresServer) DSN(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("sohoa"), Host: "127.0.0.1:" + s.port, Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Start starts it, also again, and waits until it answers.
func (s *PostgresServer) Start() error {
	s.cmd = s.command()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	return s.wait()
}

// Stop ends it at once, whoever is connected, as a restart in a hurry does.
func (s *PostgresServer) Stop() error {
	if s.cmd == nil {
		return nil
	}
	err := s.cmd.Process.Signal(syscall.SIGINT)
	_ = s.cmd.Wait() // its exit code says that it was told to
	s.cmd = nil
	return err
}

// postgresBin finds the newest installed PostgreSQL.
func postgresBin(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		p, err := exec.LookPath("initdb")
		if err != nil {
			testneed.Missing(t, "PostgreSQL", "apt-get install postgresql")
		}
		return filepath.Dir(p)
	}
	major := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // a folder that is no number is the oldest
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) }))
}

func makePostgres(bin string, durable bool) (*PostgresServer, error) {
	dir, err := os.MkdirTemp("", "sohoa-postgres-")
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{bin: bin, dir: dir, durable: durable}
	if err := s.init(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *PostgresServer) init() (err error) {
	if s.port, err = FreePort(); err != nil {
		return err
	}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		if s.owner, err = user.Lookup("postgres"); err != nil {
			if s.owner, err = user.Lookup("nobody"); err != nil {
				return err
			}
		}
		uid, err := strconv.Atoi(s.owner.Uid)
		if err != nil {
			return err
		}
		gid, err := strconv.Atoi(s.owner.Gid)
		if err != nil {
			return err
		}
		if err := os.Chown(s.dir, uid, gid); err != nil {
			return err
		}
	}
	cmd := s.run("initdb", "-D", s.data(), "-U", "sohoa", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (s *PostgresServer) data() string { return filepath.Join(s.dir, "data") }

// run is a program of PostgreSQL as who may run it.
func (s *PostgresServer) run(program string, args ...string) *exec.Cmd {
	line := append([]string{filepath.Join(s.bin, program)}, args...)
	if s.owner != nil {
		line = append([]string{"setpriv", "--reuid=" + s.owner.Uid, "--regid=" + s.owner.Gid, "--clear-groups"}, line...)
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = s.dir
	return cmd
}

func (s *PostgresServer) command() *exec.Cmd {
	args := []string{"-D", s.data(), "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "max_connections=200", "-c", "shared_buffers=512MB", "-c", "log_min_messages=fatal", "-c", "max_wal_size=4GB"}
	if !s.durable {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
	}
	return s.run("postgres", args...)
}

func (s *PostgresServer) exec(text string) error {
	db, err := sql.Open("pgx", s.DSN("postgres"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(context.Background(), text)
	return errors.Join(err, db.Close())
}

func (s *PostgresServer) wait() error {
	var err error
	for range 600 {
		if err = s.exec("SELECT 1"); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("PostgreSQL does not answer: %w", err)
}
