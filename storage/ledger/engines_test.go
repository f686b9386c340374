package ledger

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"sohoa/storage/storagetest/servers"
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

// postgres is the PostgreSQL of this run of the tests: durable for benchmarks.
func postgres(t testing.TB) *servers.PostgresServer {
	t.Helper()
	f := flag.Lookup("test.bench")
	return servers.Postgres(t, f != nil && f.Value.String() != "")
}

// postgresDSN returns the address of an empty database of its own.
func postgresDSN(t testing.TB) string {
	t.Helper()
	return postgres(t).Database(t, func(dsn string) error {
		ctx := context.Background()
		l, err := Open(ctx, dsn, Options{Log: zerolog.Nop()})
		if err != nil {
			return err
		}
		return errors.Join(l.Migrate(ctx), l.Close())
	})
}

func TestMain(m *testing.M) {
	code := m.Run()
	removeBenchDirs()
	os.Exit(code)
}
