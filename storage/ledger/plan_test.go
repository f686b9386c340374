package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/tally"
	"sohoa/tally/tallytest"
)

// TestPlans runs histories on SQLite with the statistics of a ledger of ten
// million dossiers and asks, for every statement that ran, how SQLite would find
// its rows: none may walk a table that grows with the dossiers.
func TestPlans(t *testing.T) {
	dsn := sqliteDSN(t) + "?synchronous=OFF"
	l := open(t, dsn, Options{})
	if _, err := l.write.ExecContext(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	if _, err := l.write.ExecContext(t.Context(), `DELETE FROM sqlite_stat1`); err != nil {
		t.Fatal(err)
	}
	for _, s := range [][3]string{
		{"dossier", "dossier", "10000000 1"},
		{"dossier", "dossier_received", "10000000 28571 16 1"},
		{"dossier", "dossier_resolved", "10000000 28571 20 1"},
		{"counter", "counter", "680000 1940 1"},
		{"result", "result", "1000000 2857 1"},
		{"document", "sqlite_autoindex_document_1", "25000000 1"},
		{"document", "sqlite_autoindex_document_2", "25000000 1"},
		{"document", "document_same", "25000000 3 1"},
		{"document", "document_result", "1000000 2857 2"},
		{"document", "document_replaces", "100000 1"},
		{"document", "document_reuses", "1000000 2"},
		{"document", "document_open", "5000 2500 1"},
		{"document", "document_refused", "50000 1 1"},
	} {
		if _, err := l.write.ExecContext(t.Context(), `INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ($1, $2, $3)`, s[0], s[1], s[2]); err != nil {
			t.Fatal(err)
		}
	}
	must(t, l.Close())
	l, err := Open(t.Context(), dsn, Options{Log: zerolog.Nop()})
	must(t, err)
	defer l.Close()

	ran := map[string]bool{}
	note := func() {
		for _, db := range []*sql.DB{l.write, l.read} {
			conn, err := db.Conn(t.Context())
			must(t, err)
			must(t, conn.Raw(func(dc any) error {
				for text := range dc.(*cachingConn).idle {
					ran[text] = true
				}
				return nil
			}))
			must(t, conn.Close())
		}
	}
	l.read.SetMaxOpenConns(2) // a snapshot and what is asked beside it
	for number := range uint64(5) {
		for _, s := range tallytest.History(number, 40) {
			must(t, happen(t.Context(), l, s))
			note()
		}
	}
	all := append(tally.Indicators(), tally.Counts()...)
	for _, ind := range all {
		for _, p := range []dossier.Period{{}, {From: 20240110, To: 20240830}} {
			for _, side := range []tally.Side{tally.Counted, tally.Missing, tally.All} {
				whole(t, l, ListQuery{Indicator: ind.ID, Version: ind.Version, Side: side, Period: p, Limit: 3})
				note()
			}
			got[[]tally.Cell](t)(l.Sums(t.Context(), nil, tally.AllSeries(), p))
			got[[]tally.Cell](t)(l.Totals(t.Context(), nil, tally.AllSeries(), p))
			got[[]tally.Cell](t)(l.Months(t.Context(), nil, tally.AllSeries(), p))
			note()
		}
	}
	sound(t, l)
	must(t, l.sweep(t.Context()))
	got[[]Fault](t)(l.Faulted(t.Context(), nil, 0))
	got[QueueStats](t)(l.QueueStats(t.Context()))
	got[[]dossier.Standing](t)(l.Refused(t.Context(), time.Now(), "", 5))
	got[dossier.UnitCode](t)(l.ResolveUnit(t.Context(), "T1-240830-0001"))
	note()

	// These read everything on purpose: a walk in the order of the key, or the
	// first of a run.
	allowed := []string{
		`SELECT * FROM counter LIMIT 0`,
		`SELECT code, procedure FROM dossier WHERE code > $1 ORDER BY code LIMIT 10000`,
	}
	grows := regexp.MustCompile(`^SCAN (dossier|document|counter|result|c)\b`)
	parameter := regexp.MustCompile(`\$(\d+)`)
	asked := 0
	for text := range ran {
		if !strings.HasPrefix(text, "SELECT") && !strings.HasPrefix(text, "UPDATE") && !strings.HasPrefix(text, "DELETE") && !strings.HasPrefix(text, "INSERT") ||
			strings.Contains(text, "sqlite_stat1") || slices.Contains(allowed, text) {
			continue
		}
		n := 0
		for _, m := range parameter.FindAllStringSubmatch(text, -1) {
			k, err := strconv.Atoi(m[1])
			must(t, err)
			n = max(n, k)
		}
		if n == 0 && strings.Contains(text, "?") { // the queue's own
			continue
		}
		asked++
		args := make([]any, n)
		var plan []string
		if err := query(context.Background(), l.read, "EXPLAIN QUERY PLAN "+text, args, func(r *sql.Rows) error {
			var a, b, c int
			var line string
			err := r.Scan(&a, &b, &c, &line)
			plan = append(plan, line)
			return err
		}); err != nil {
			t.Errorf("%v: %s", err, text)
			continue
		}
		for _, line := range plan {
			if grows.MatchString(line) {
				t.Errorf("%s\n\tin %s\n\tof %.300s", line, strings.Join(plan, "; "), text)
				break
			}
		}
	}
	if asked < 40 {
		t.Errorf("only %d statements were seen: %v", asked, fmt.Sprint(len(ran)))
	}
}

// TestListReadsOnlyItsDays: on PostgreSQL, the dossiers of the days of a page are
// found by so many blocks as the days have, wherever in the list the page is. An
// index that is entered at the wrong place gives the same page, thousands of
// blocks later.
func TestListReadsOnlyItsDays(t *testing.T) {
	l := open(t, postgresDSN(t), Options{})
	const units, days, each = 60, 200, 5
	if _, err := l.write.ExecContext(t.Context(), `INSERT INTO dossier (`+dossierColumns+`, received_day, resolved_day)
		SELECT 'H' || u || '-' || d || '-' || q, 1, 'H' || u, '1.000001', 1, 'received', 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 20240000 + d, 0
		FROM generate_series(101, $1) AS u, generate_series(101, $2) AS d, generate_series(1, $3) AS q`, 100+units, 100+days, each); err != nil {
		t.Fatal(err)
	}
	if _, err := l.write.ExecContext(t.Context(), `VACUUM ANALYZE dossier`); err != nil {
		t.Fatal(err)
	}
	w := &listWalk{column: "received_day", postgres: true}
	for _, first := range []int{101, 100 + units/2, 100 + units} {
		var ranges []listRange
		for d := range 64 {
			ranges = append(ranges, listRange{unit: dossier.UnitCode(fmt.Sprint("H", first)), from: int64(20240101 + d), to: int64(20240101 + d)})
		}
		ranges[0].after = dossier.Code(fmt.Sprintf("H%d-101-3", first))
		text, args := w.readText(ranges)
		var plan []string
		must(t, query(t.Context(), l.read, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) "+text, args, func(r *sql.Rows) error {
			var line string
			err := r.Scan(&line)
			plan = append(plan, line)
			return err
		}))
		all := strings.Join(plan, "\n")
		blocks := 0
		m := regexp.MustCompile(`Buffers: shared hit=(\d+)(?: read=(\d+))?`).FindStringSubmatch(all)
		if m == nil {
			t.Fatalf("no buffers in %s", all)
		}
		for _, v := range m[1:] {
			if v != "" {
				blocks += got[int](t)(strconv.Atoi(v))
			}
		}
		if blocks > 8*len(ranges) {
			t.Errorf("unit %d: %d blocks for %d days:\n%s", first, blocks, len(ranges), all)
		}
		if !strings.Contains(plan[0], "Limit") || !strings.Contains(all, fmt.Sprintf("rows=%d loops=1", 64*each-3)) {
			t.Errorf("not the dossiers that were made:\n%s", all)
		}
	}
}
