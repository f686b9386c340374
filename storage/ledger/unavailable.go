package ledger

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Unavailable reports whether an error says that the database cannot be reached,
// is full, locked, or about to restart: what was asked is not at fault and may be
// asked again later.
func Unavailable(err error) bool {
	var (
		pg      *pgconn.PgError
		connect *pgconn.ConnectError
		network net.Error
		lite    *sqlite.Error
	)
	switch {
	case err == nil:
		return false
	case errors.As(err, &pg):
		// Connection lost, resources (disk, memory, connections), told to shut down,
		// failures of the system below.
		for _, class := range []string{"08", "53", "57P", "58"} {
			if strings.HasPrefix(pg.Code, class) {
				return true
			}
		}
		return false
	case errors.As(err, &lite):
		switch lite.Code() & 0xff { // the primary code
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
			return true
		}
		return false
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, driver.ErrBadConn), pgconn.SafeToRetry(err):
		return true
	}
	// A connection that broke off under a question.
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "conn closed")
}
