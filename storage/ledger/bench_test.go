package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/tally"
)

// The benchmarks run on a province of 350 units and 1,826 days (2020–2024) whose
// rows are made by SQL: dossiers, and the documents they count, some seven to six
// dossiers. SOHOA_BENCH_DOSSIERS says how many dossiers, about (100,000 by default):
//
//	SOHOA_BENCH_DOSSIERS=10000000 go test -run '^$' -bench . -timeout 1h ./storage/ledger
//
// SOHOA_BENCH_DATABASE names a database to use in place of a new one: it is
// filled if it is empty and stays as it is afterwards, for another look.
const (
	benchUnits = 350
	benchDays  = 1826
)

func benchUnit(n int) dossier.UnitCode { return dossier.UnitCode(fmt.Sprintf("H51.%03d", n)) }

func benchRegister() []dossier.Unit {
	units := []dossier.Unit{{Code: "H51", Name: "Tỉnh", Level: dossier.Province}}
	for n := 1; n < benchUnits; n++ {
		u := dossier.Unit{Code: benchUnit(n), Name: fmt.Sprint("Đơn vị ", n)}
		switch {
		case n <= 15:
			u.Level, u.Parent = dossier.Department, "H51"
		case n <= 26:
			u.Level, u.Parent = dossier.District, "H51"
		default:
			u.Level, u.Parent = dossier.Commune, benchUnit(16+n%11)
		}
		units = append(units, u)
	}
	return units
}

// benchSeries says in SQL what the rows made below count for.
var benchSeries = []struct{ id, day, den, num string }{
	{"3", "received_day", "1", "CASE WHEN channel = 2 THEN 1 ELSE 0 END"},
	{"4.1", "received_day", "returns_document", "CASE WHEN returns_document = 1 AND legal_results > 0 THEN 1 ELSE 0 END"},
	{"4.2", "received_day", "1", "CASE WHEN components > 0 AND (returns_document = 0 OR results > 0) THEN 1 ELSE 0 END"},
	{"4.3", "received_day", "1", "CASE WHEN reused > 0 THEN 1 ELSE 0 END"},
	{"9", "received_day", "CASE WHEN status = 'returned' THEN 1 ELSE 0 END", "CASE WHEN status = 'returned' AND synced_at <> 0 THEN 1 ELSE 0 END"},
}

// bench is a filled ledger; per engine it is made once a run.
func bench(b *testing.B, name string, run func(b *testing.B, l *Ledger, rows int)) {
	b.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			f := filled[engine]
			f.once.Do(func() { f.dsn, f.rows = fill(b, engine) })
			if f.dsn == "" {
				b.Skip("the database was not filled")
			}
			l, err := Open(b.Context(), f.dsn, Options{Log: zerolog.Nop()})
			must(b, err)
			defer l.Close()
			b.ResetTimer()
			before := cpuTime(b)
			run(b, l, f.rows)
			// What a busy machine does not blur; PostgreSQL's own work is not in it.
			b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
	_ = name
}

var filled = map[string]*struct {
	once sync.Once
	dsn  string
	rows int
}{"sqlite": {}, "postgres": {}}

func fill(b *testing.B, engine string) (string, int) {
	b.Helper()
	want := 100_000
	if v := os.Getenv("SOHOA_BENCH_DOSSIERS"); v != "" {
		var err error
		want, err = strconv.Atoi(v)
		must(b, err)
	}
	// k dossiers a unit and day; below one a day, fewer days.
	days, k := benchDays, want/(benchUnits*benchDays)
	if k == 0 {
		days, k = max(1, want/benchUnits), 1
	}
	var dsn string
	if kept := os.Getenv("SOHOA_BENCH_DATABASE"); strings.HasPrefix(kept, engine) {
		dsn = kept
		if n := filledBefore(b, kept); n > 0 {
			return kept, n
		}
	} else if engine == "sqlite" {
		dir, err := os.MkdirTemp("", "sohoa-bench-")
		must(b, err)
		benchDirs = append(benchDirs, dir)
		dsn = "sqlite:" + dir + "/ledger.db"
	} else {
		dsn = keptPostgres(b)
	}
	l, err := Open(b.Context(), dsn, Options{Log: zerolog.Nop()})
	must(b, err)
	defer l.Close()
	must(b, l.Migrate(b.Context()))
	_, err = l.ImportUnits(b.Context(), benchRegister())
	must(b, err)
	_, err = l.ImportProcedures(b.Context(), []dossier.Procedure{{Code: "1.004946", Name: "a", ReturnsDocument: true}, {Code: "1.000001", Name: "b"}})
	must(b, err)

	var cols, sums []string
	for _, s := range benchSeries {
		ind, ok := tally.Find(s.id, "")
		if !ok {
			b.Fatalf("no indicator %s", s.id)
		}
		_, slots, err := l.columns(b.Context(), []tally.Series{ind.Series()})
		must(b, err)
		cols = append(cols, fmt.Sprintf("n%d, d%d", slots[0], slots[0]))
		sums = append(sums, fmt.Sprintf("SUM(%s), SUM(%s)", s.num, s.den))
	}
	write := l.write
	if engine == "sqlite" {
		must(b, l.Close())
		write = quickSQLite(b, dsn)
		defer write.Close()
		_, err := write.ExecContext(b.Context(), "BEGIN")
		must(b, err)
	}

	start := time.Now()
	series := func(t string, from, to int) string { // a table of numbers
		if engine == "postgres" {
			return fmt.Sprintf("generate_series(%d, %d) AS %s(n)", from, to, t)
		}
		return fmt.Sprintf("(WITH RECURSIVE s(n) AS (SELECT %d UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s) AS %s", from, to, t)
	}
	date := func(n, format string) string {
		if engine == "postgres" {
			return fmt.Sprintf("to_char(DATE '2020-01-01' + (%s)::int, '%s')", n, map[string]string{"day": "YYYYMMDD", "code": "YYMMDD"}[format])
		}
		d := fmt.Sprintf("strftime('%%Y%%m%%d', julianday('2020-01-01') + %s)", n)
		if format == "code" {
			d = "substr(" + d + ", 3)"
		}
		return d
	}
	// Micros of noon of day n, local.
	const noon = "(1577854800 + 43200 + 86400 * CAST((%s) AS BIGINT)) * 1000000"
	for u := range benchUnits {
		unit := benchUnit(u)
		if u == 0 {
			unit = "H51"
		}
		h := fmt.Sprintf("(d.n * 7 + q.n * 13 + %d)", u)
		pad := "substr('000000' || q.n, -6)"
		if engine == "postgres" {
			pad = "lpad(q.n::text, 6, '0')"
		}
		resolved := func(v string) string { return "CASE WHEN " + h + " % 5 > 0 THEN " + v + " ELSE 0 END" }
		_, err := write.ExecContext(b.Context(), fmt.Sprintf(`INSERT INTO dossier (`+dossierColumns+`, received_day, resolved_day)
			SELECT '%s-' || %s || '-' || %s, 1, '%s', CASE WHEN %s %% 4 > 0 THEN '1.004946' ELSE '1.000001' END, 1 + %s %% 3,
				CASE WHEN %s %% 5 > 0 THEN 'returned' ELSE 'received' END, %s, %s, CASE WHEN %s %% 6 > 0 THEN 1 ELSE 0 END, 0,
				CASE WHEN %s %% 4 > 0 THEN 1 ELSE 0 END,
				CASE WHEN %s %% 2 > 0 THEN 1 ELSE 0 END, CASE WHEN %s %% 10007 = 0 THEN 1 ELSE 0 END, 0,
				CASE WHEN %s %% 3 > 0 THEN 1 ELSE 0 END, CASE WHEN %s %% 3 > 1 THEN 1 ELSE 0 END, CAST(%s AS BIGINT), %s
			FROM %s CROSS JOIN %s ORDER BY d.n, q.n`,
			unit, date("d.n", "code"), pad, unit, h, h,
			h, fmt.Sprintf(noon, "d.n"), resolved(fmt.Sprintf(noon, "d.n + 3")), h,
			h,
			h, h,
			h, h, date("d.n", "day"), resolved("CAST("+date("d.n + 3", "day")+" AS BIGINT)"),
			series("d", 0, days-1), series("q", 1, k)))
		must(b, err)
		for _, kind := range []dossier.Kind{dossier.Component, dossier.ResultKind} {
			_, err := write.ExecContext(b.Context(), benchDocuments(b, engine, unit, u, kind))
			must(b, err)
		}
		for _, period := range []string{"received_day", "received_day / 100", "received_day / 10000"} {
			_, err := write.ExecContext(b.Context(), fmt.Sprintf(`INSERT INTO counter (unit, period, %s) SELECT unit, %s, %s FROM dossier WHERE unit = '%s' GROUP BY unit, %s`,
				strings.Join(cols, ", "), period, strings.Join(sums, ", "), unit, period))
			must(b, err)
		}
	}
	for _, text := range map[string][]string{"sqlite": {"COMMIT", "ANALYZE"}, "postgres": {"VACUUM ANALYZE", "CHECKPOINT"}}[engine] {
		_, err := write.ExecContext(b.Context(), text)
		must(b, err)
	}
	rows := benchUnits * days * k
	var documents int
	must(b, write.QueryRowContext(b.Context(), `SELECT COUNT(*) FROM document`).Scan(&documents))
	fmt.Printf("# %s: %d dossiers, %d documents, %d units, %d days, made in %v\n", engine, rows, documents, benchUnits, days, time.Since(start).Round(time.Second))
	return dsn, rows
}

// quickSQLite opens a database that nobody else has open, for filling only: what
// it writes is lost with the machine, and the indexes in no order of the rows
// (the fingerprints') stay in memory.
func quickSQLite(b *testing.B, dsn string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(dsn, "sqlite:")+
		"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=locking_mode(EXCLUSIVE)&_pragma=cache_size(-3000000)&_pragma=temp_store(memory)")
	must(b, err)
	db.SetMaxOpenConns(1)
	return db
}

// benchDocuments makes a settled document of that kind for every dossier of the
// unit, the nth, that counts one. Ids are in order of time, as version 7 makes
// them; digests and fingerprints in none.
func benchDocuments(b *testing.B, engine string, unit dossier.UnitCode, n int, kind dossier.Kind) string {
	at := dossier.Date(20200101).Time()
	in := dossier.Intake{ID: "@id", ReceivedAt: at, Slip: dossier.Slip{Kind: kind, Dossier: "@code", Unit: unit, By: "bench", Door: dossier.DoorAPI},
		Original: dossier.File{Key: "@id/original.pdf", MediaType: "application/pdf", Size: 900_000, SHA256: "@sha"}}
	text := func(v any) string { // as an SQL expression, with the row's own id, code and digest
		t, err := json.Marshal(v)
		must(b, err)
		return "replace(replace(replace('" + string(t) + "', '@id', id), '@code', code), '@sha', sha)"
	}
	random, hex, serial := "lower(hex(randomblob(32)))", "printf('%%012x', %s)", "substr(code, -6)"
	if engine == "postgres" {
		random, hex, serial = "replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')", "lpad(to_hex(%s), 12, '0')", "right(code, 6)"
	}
	fact, legal, group := "components", "0", "8"
	if kind == dossier.ResultKind {
		fact, legal, group = "results", "legal_results", "9"
	}
	millis := fmt.Sprintf(hex, "received_at / 1000")
	id := fmt.Sprintf("substr(%s, 1, 8) || '-' || substr(%s, 9, 4) || '-7%03x-%s000-' || %s", millis, millis, n, group, fmt.Sprintf(hex, "CAST("+serial+" AS BIGINT)"))
	return `INSERT INTO document (id, same, state, kind, dossier, unit, number_key, paper, sha256, replaces, reuses, replaced_by,
			deleted, counts, personal, legal, received_at, job, fault, intake, verdict)
		SELECT id, ` + random + `, 'stored', '` + string(kind) + `', code, unit, '', '', sha, '', '', '', 0, 1, 0, legal, received_at, 0, '', ` + text(in) + `,
			CASE WHEN legal = 1 THEN ` + text(record(in, true)) + ` ELSE ` + text(record(in, false)) + ` END
		FROM (SELECT ` + id + ` AS id, ` + random + ` AS sha, code, unit, received_at, ` + legal + ` AS legal
			FROM dossier WHERE unit = '` + string(unit) + `' AND ` + fact + ` > 0 ORDER BY received_at, code) AS d`
}

// filledBefore is how many dossiers the database has, about.
func filledBefore(b *testing.B, dsn string) int {
	l, err := Open(b.Context(), dsn, Options{Log: zerolog.Nop()})
	must(b, err)
	defer l.Close()
	must(b, l.Migrate(b.Context()))
	ind, ok := tally.Find("3", "")
	if !ok {
		b.Fatal("no indicator 3")
	}
	cells, err := l.Sums(b.Context(), nil, []tally.Series{ind.Series()}, dossier.Period{})
	must(b, err)
	sum := 0
	for _, c := range cells {
		sum += int(c.Denominator)
	}
	return sum
}

var benchDirs []string

// keptPostgres is postgresDSN for a database that outlives the benchmark.
func keptPostgres(b *testing.B) string {
	return postgres(b).DSN("postgres")
}

func allSeries() []tally.Series { return tally.AllSeries() }

func year(y int) dossier.Period {
	return dossier.Period{From: dossier.Date(y*10000 + 101), To: dossier.Date((y+1)*10000 + 101)}
}

// A year of the whole province by unit; a period that is no whole year; a subtree.
func BenchmarkReport(b *testing.B) {
	subtree := []dossier.UnitCode{benchUnit(16)}
	for n := 27; n < benchUnits; n++ {
		if 16+n%11 == 16 {
			subtree = append(subtree, benchUnit(n))
		}
	}
	for _, c := range []struct {
		name   string
		units  []dossier.UnitCode
		period dossier.Period
	}{
		{"province-year", nil, year(2023)},
		{"province-8-months-to-the-29th", nil, dossier.Period{From: 20240101, To: 20240830}},
		{"province-five-years", nil, dossier.Period{From: 20200101, To: 20250101}},
		{"subtree-year", subtree, year(2023)},
		{"subtree-8-months-to-the-29th", subtree, dossier.Period{From: 20240101, To: 20240830}},
		{"unit-year", subtree[:1], year(2023)},
	} {
		b.Run(c.name, func(b *testing.B) {
			bench(b, c.name, func(b *testing.B, l *Ledger, _ int) {
				for b.Loop() {
					if _, err := l.Sums(b.Context(), c.units, allSeries(), c.period); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// A page of 100 of a list: the first, one in the middle, and of the few dossiers
// among all that reuse anything.
func BenchmarkListPage(b *testing.B) {
	middle := listPlace{benchUnit(170), 20220615, ""}.cursor()
	for _, c := range []struct {
		name string
		q    ListQuery
	}{
		{"first-of-province-year", ListQuery{Indicator: "4.2", Side: tally.Missing, Period: year(2023)}},
		{"first-of-five-years", ListQuery{Indicator: "4.2", Side: tally.Missing}},
		{"middle-of-five-years", ListQuery{Indicator: "4.2", Side: tally.Missing, After: middle}},
		{"sparse-five-years", ListQuery{Indicator: "4.3", Side: tally.Counted}},
		{"one-unit-month", ListQuery{Indicator: "4.1", Side: tally.Counted, Units: []dossier.UnitCode{benchUnit(33)}, Period: dossier.Period{From: 20230301, To: 20230401}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			bench(b, c.name, func(b *testing.B, l *Ledger, _ int) {
				n := 0
				for b.Loop() {
					p, err := l.List(b.Context(), c.q)
					if err != nil {
						b.Fatal(err)
					}
					n = len(p.Items)
				}
				b.ReportMetric(float64(n), "items")
			})
		})
	}
}

// What it costs to keep the tallies: transactions that change a dossier and add
// the difference a settled document makes, in turn with such that only change a
// dossier; both are durable when they end. A thousand of each, so that the time
// of one and the machine's moods do not decide, after some that let the database
// prepare. The dossiers are of all five years, or of the last thirty days as in
// an office's daily work.
func BenchmarkTallies(b *testing.B) {
	for _, days := range []int{benchDays, 30} {
		b.Run(fmt.Sprintf("of-%d-days", days), func(b *testing.B) {
			bench(b, "", func(b *testing.B, l *Ledger, rows int) {
				r := rand.New(rand.NewPCG(1, uint64(b.N)))
				last := min(benchDays, rows/benchUnits)
				stamp := time.Now().UnixMicro()
				write := func(with bool) time.Duration {
					d := benchDossier(r, last-1-r.IntN(min(days, last)))
					after := d
					after.Components, after.Facts.Results, after.LegalResults = 1, 1, 1
					stamp++
					start := time.Now()
					diff := tally.Diff(tally.Contribution(d), tally.Contribution(after))
					err := l.update(b.Context(), func(ctx context.Context, t *tx) error {
						if _, err := t.lockDossiers(ctx, []dossier.Code{d.Code}); err != nil {
							return err
						}
						// Always another value: SQLite does not write what stays the same.
						if n, err := t.Exec(ctx, `UPDATE dossier SET synced_at = $1 WHERE code = $2`, stamp, string(d.Code)); err != nil || n != 1 {
							return fmt.Errorf("%d dossiers changed: %w", n, err)
						}
						if with {
							return t.add(ctx, diff)
						}
						return nil
					})
					must(b, err)
					return time.Since(start)
				}
				var took [2][]time.Duration
				for b.Loop() {
					for i := range 1200 {
						bare, kept := write(false), write(true)
						if i >= 200 {
							took[0], took[1] = append(took[0], bare), append(took[1], kept)
						}
					}
				}
				mean := func(d []time.Duration) float64 {
					var sum time.Duration
					for _, v := range d {
						sum += v
					}
					return float64(sum.Microseconds()) / float64(len(d))
				}
				b.ReportMetric(mean(took[0]), "bare-µs")
				b.ReportMetric(mean(took[1]), "kept-µs")
				b.ReportMetric(mean(took[1])-mean(took[0]), "tallies-mean-µs")
				slices.Sort(took[0])
				slices.Sort(took[1])
				b.ReportMetric(float64((took[1][len(took[1])/2] - took[0][len(took[0])/2]).Microseconds()), "tallies-p50-µs")
			})
		})
	}
}

func benchDossier(r *rand.Rand, day int) dossier.Dossier {
	u := benchUnit(1 + r.IntN(benchUnits-1))
	at := dossier.Date(20200101).AddDays(day)
	return dossier.Dossier{ReturnsDocument: true, Registered: dossier.Registered{
		Code: dossier.Code(fmt.Sprintf("%s-%06d-%06d", u, int(at)%1000000, 1)), Unit: u, Procedure: "1.004946", Channel: dossier.Online,
		Status: dossier.Returned, ReceivedAt: at.Time().Add(12 * time.Hour), ResolvedAt: at.AddDays(3).Time().Add(12 * time.Hour)}}
}

// A document, received and settled: of any dossier in five years, or of the last
// thirty days as in an office's daily work.
func BenchmarkDocument(b *testing.B) {
	for _, c := range []struct{ clients, days int }{{1, benchDays}, {8, benchDays}, {1, 30}} {
		name := fmt.Sprintf("clients-%d", c.clients)
		if c.days < benchDays {
			name += fmt.Sprintf("-of-%d-days", c.days)
		}
		b.Run(name, func(b *testing.B) {
			bench(b, "", func(b *testing.B, l *Ledger, rows int) {
				last := max(1, min(benchDays, rows/benchUnits)) // day of dossiers that are there
				var n atomic.Int64
				var wg sync.WaitGroup
				for client := range c.clients {
					r := rand.New(rand.NewPCG(2, uint64(client)+uint64(b.N)))
					wg.Go(func() {
						for n.Add(1) <= int64(b.N) {
							d := benchDossier(r, last-1-r.IntN(min(c.days, last)))
							id := uuid.Must(uuid.NewV7()).String()
							in := dossier.Intake{ID: id, ReceivedAt: time.Now(),
								Slip:     dossier.Slip{Kind: dossier.Component, Dossier: d.Code, Unit: d.Unit, Door: dossier.DoorAPI},
								Original: dossier.File{Key: "k", Size: 1, SHA256: dossier.Digest(id)}}
							if _, err := l.Receive(b.Context(), in); err != nil {
								b.Error(err)
								return
							}
							if err := l.Settle(b.Context(), record(in, false)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "documents/s")
			})
		})
	}
}

// How long a document waits for a worker of the same process: from the answer of
// Receive to the call of the handler.
func BenchmarkLatency(b *testing.B) {
	bench(b, "latency", func(b *testing.B, l *Ledger, _ int) {
		ctx, stop := context.WithCancel(b.Context())
		started := make(chan time.Time)
		ended := make(chan error, 1)
		go func() {
			ended <- l.Work(ctx, WorkOptions{Workers: 2}, func(ctx context.Context, in dossier.Intake) error {
				started <- time.Now()
				return l.Settle(ctx, record(in, false))
			})
		}()
		r := rand.New(rand.NewPCG(3, 3))
		var waits []time.Duration
		for b.Loop() {
			d := benchDossier(r, r.IntN(benchDays))
			id := uuid.Must(uuid.NewV7()).String()
			in := dossier.Intake{ID: id, ReceivedAt: time.Now(),
				Slip:     dossier.Slip{Kind: dossier.Component, Dossier: d.Code, Unit: d.Unit, Door: dossier.DoorAPI},
				Original: dossier.File{Key: "k", Size: 1, SHA256: dossier.Digest(id)}}
			if _, err := l.Receive(b.Context(), in); err != nil {
				b.Fatal(err)
			}
			answered := time.Now()
			waits = append(waits, max(0, (<-started).Sub(answered)))
		}
		stop()
		must(b, <-ended)
		slices.Sort(waits)
		b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "p99-µs")
	})
}

// Rows of the register: new ones, and changes of old ones all over the province,
// by one writer and by eight, 500 to a transaction.
func BenchmarkRegister(b *testing.B) {
	var serial atomic.Int64
	serial.Store(time.Now().UnixMilli() % 1e9) // other rows than in the last run, whose database this may be
	for _, c := range []struct {
		name    string
		writers int
		fresh   bool
	}{{"new-1-writer", 1, true}, {"new-8-writers", 8, true}, {"new-in-order-1-writer", 1, true}, {"changed-1-writer", 1, false}, {"changed-8-writers", 8, false}} {
		b.Run(c.name, func(b *testing.B) {
			bench(b, c.name, func(b *testing.B, l *Ledger, _ int) {
				var n atomic.Int64
				var wg sync.WaitGroup
				for w := range c.writers {
					r := rand.New(rand.NewPCG(uint64(w), uint64(serial.Add(1))))
					wg.Go(func() {
						for n.Add(1) <= int64(b.N) {
							rows := make([]dossier.Registered, batch)
							for i := range rows {
								rows[i] = benchDossier(r, r.IntN(benchDays)).Registered
								rows[i].SyncedAt = time.Unix(r.Int64N(1<<30), 0)
								if c.fresh { // recent, of all units
									rows[i] = benchDossier(r, benchDays-1-r.IntN(30)).Registered
									n := serial.Add(1)
									if strings.Contains(c.name, "in-order") { // sorted by unit and day, 16 a day
										day := dossier.Date(20241201).AddDays(int(n / 16 % 30))
										rows[i].Unit = benchUnit(1 + int(n/480)%(benchUnits-1))
										rows[i].ReceivedAt, rows[i].ResolvedAt = day.Time().Add(time.Hour), day.Time().Add(2*time.Hour)
										rows[i].Code = dossier.Code(fmt.Sprintf("%s-%06d-000001", rows[i].Unit, int(day)%1000000))
									}
									rows[i].Code = dossier.Code(fmt.Sprintf("%s-9%09d", rows[i].Code[:len(rows[i].Code)-7], n))
								}
							}
							o, err := l.ImportDossiers(b.Context(), rows)
							if err != nil || len(o.Bad) > 0 {
								b.Errorf("%v %v", err, o.Bad)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(l.deadlocks.Load()), "deadlocks")
			})
		})
	}
}

// From nothing to ready.
func BenchmarkOpen(b *testing.B) {
	bench(b, "open", func(b *testing.B, l *Ledger, _ int) {
		dsn := filled[b.Name()[strings.LastIndex(b.Name(), "/")+1:]].dsn
		for b.Loop() {
			l, err := Open(b.Context(), dsn, Options{Log: zerolog.Nop()})
			must(b, err)
			must(b, l.Migrate(b.Context()))
			must(b, l.Ready(b.Context()))
			must(b, l.Close())
		}
	})
}

// Everything counted anew, once.
func BenchmarkRecount(b *testing.B) {
	bench(b, "recount", func(b *testing.B, l *Ledger, rows int) {
		for b.Loop() {
			must(b, l.Recount(b.Context(), func(Miscount) {}))
		}
		b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "dossiers/s")
	})
}

func removeBenchDirs() {
	for _, d := range slices.Backward(benchDirs) {
		os.RemoveAll(d)
	}
}
