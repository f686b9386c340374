package ledger

import (
	"context"
	"database/sql/driver"
	"regexp"
	"strconv"
	"strings"
)

// Preparing a statement costs SQLite more than running it, and database/sql
// prepares anew for every query it is given as text. These wrappers keep each
// connection's statements by their text.

// statements bounds how many a connection keeps.
const statements = 256

type cachingConnector struct {
	driver.Connector
	gate *gate // nil: its transactions read
}

func (c cachingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := conn.(sqliteConn)
	if !ok { // a driver we do not know works, only slower
		return conn, nil
	}
	return &cachingConn{sqliteConn: inner, gate: c.gate, idle: map[string]sqliteStmt{}}, nil
}

// sqliteConn and sqliteStmt are what the driver's own connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// cachingConn is used by one goroutine at a time, like every driver.Conn.
type cachingConn struct {
	sqliteConn
	gate *gate
	idle map[string]sqliteStmt // prepared and not in use
}

func (c *cachingConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if c.gate == nil {
		return c.sqliteConn.BeginTx(ctx, o)
	}
	c.gate.enter(ctx)
	t, err := c.sqliteConn.BeginTx(ctx, o)
	if err != nil {
		c.gate.leave()
		return nil, err
	}
	return gatedTx{t, c.gate}, nil
}

// take returns a prepared statement, or nil where the text is not one to keep.
// A statement that is in use is not idle, so a query within a query of the same
// text gets its own.
func (c *cachingConn) take(ctx context.Context, query string) (sqliteStmt, error) {
	if st, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return st, nil
	}
	if strings.Contains(query, ";") || len(query) > 1<<16 {
		return nil, nil
	}
	st, err := c.sqliteConn.PrepareContext(ctx, steady(unnamed(query)))
	if err != nil {
		return nil, err
	}
	if s, ok := st.(sqliteStmt); ok {
		return s, nil
	}
	return nil, st.Close()
}

func (c *cachingConn) give(query string, st sqliteStmt) error {
	if _, ok := c.idle[query]; ok {
		return st.Close()
	}
	if len(c.idle) >= statements {
		for old, s := range c.idle { // any will do: the texts in use come back at once
			delete(c.idle, old)
			if err := s.Close(); err != nil {
				return err
			}
			break
		}
	}
	c.idle[query] = st
	return nil
}

func (c *cachingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	st, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	r, err := st.ExecContext(ctx, args)
	if gerr := c.give(query, st); err == nil {
		err = gerr
	}
	return r, err
}

func (c *cachingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	st, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	r, err := st.QueryContext(ctx, args)
	if err != nil {
		if gerr := c.give(query, st); gerr != nil {
			err = gerr
		}
		return nil, err
	}
	return &cachingRows{Rows: r, c: c, query: query, st: st}, nil
}

func (c *cachingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	st, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return c.sqliteConn.PrepareContext(ctx, query)
	}
	return &cachingStmt{sqliteStmt: st, c: c, query: query}, nil
}

// cachingStmt is given back when it is closed.
type cachingStmt struct {
	sqliteStmt
	c     *cachingConn
	query string
}

func (s *cachingStmt) Close() error {
	if s.sqliteStmt == nil {
		return nil
	}
	st := s.sqliteStmt
	s.sqliteStmt = nil
	return s.c.give(s.query, st)
}

func (c *cachingConn) Close() error {
	for query, st := range c.idle {
		delete(c.idle, query)
		if err := st.Close(); err != nil {
			c.sqliteConn.Close()
			return err
		}
	}
	return c.sqliteConn.Close()
}

// cachingRows gives the statement back when they have been read.
type cachingRows struct {
	driver.Rows
	c     *cachingConn
	query string
	st    sqliteStmt
}

func (r *cachingRows) Close() error {
	if r.st == nil {
		return nil
	}
	err := r.Rows.Close()
	if gerr := r.c.give(r.query, r.st); err == nil {
		err = gerr
	}
	r.st = nil
	return err
}

var numbered = regexp.MustCompile(`\$[0-9]+`)

// unnamed writes $1, $2, $3 as ?, ?, ? where they come in that order, once each:
// the driver looks up every named parameter by its name at every call.
func unnamed(query string) string {
	if strings.ContainsRune(query, '?') {
		return query
	}
	next := 0
	for _, p := range numbered.FindAllString(query, -1) {
		if next++; p != "$"+strconv.Itoa(next) {
			return query
		}
	}
	return numbered.ReplaceAllLiteralString(query, "?")
}

var limit = regexp.MustCompile(`(?i)\bLIMIT\s+((?:\?|\$)[0-9]*)`)

// steady hides a bound LIMIT in an expression. SQLite plans by its value where it
// stands alone, and therefore prepares the statement anew whenever one is bound.
func steady(query string) string {
	return limit.ReplaceAllString(query, "LIMIT (0 + $1)")
}
