package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage/ledger"
	"sohoa/web"
)

type benched struct {
	url, dossier, document string
	unit                   dossier.UnitCode // a district with communes
	tokens                 map[dossier.Role]string
}

// noPipeline stands where pages that are measured never go.
type noPipeline struct{ *ledger.Ledger }

var errNotHere = errors.New("not part of the measurement")

func (noPipeline) Receive(context.Context, dossier.Slip, io.Reader, pipeline.ReceiveOptions) (dossier.Standing, error) {
	return dossier.Standing{}, errNotHere
}
func (noPipeline) Wait(context.Context, string, time.Duration) (dossier.Standing, error) {
	return dossier.Standing{}, errNotHere
}
func (noPipeline) Amend(context.Context, string, dossier.Slip) (bool, error) {
	return false, errNotHere
}
func (noPipeline) OpenOriginal(context.Context, dossier.Standing) (io.ReadSeekCloser, dossier.File, error) {
	return nil, dossier.File{}, errNotHere
}
func (noPipeline) OpenArchive(context.Context, dossier.Standing) (io.ReadSeekCloser, dossier.File, error) {
	return nil, dossier.File{}, errNotHere
}

// benchHouse is a ledger of n dossiers behind the doors, with three documents for
// every ten of them. SOHOA_BENCH_DATABASE (sqlite:FILE or postgres://…) names one
// to keep: it is filled if it is empty, and stays as it is for another look. The
// one that the ledger's benchmarks keep will do.
func benchHouse(b *testing.B, n int) benched {
	b.Helper()
	ctx := context.Background()
	dsn := os.Getenv("SOHOA_BENCH_DATABASE")
	if dsn == "" {
		dsn = "sqlite:" + filepath.Join(b.TempDir(), "ledger.db") + "?synchronous=OFF"
	}
	l, err := ledger.Open(ctx, dsn, ledger.Options{Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	must(l.Migrate(ctx))
	documents, err := l.CountDocuments(ctx)
	must(err)
	if documents == 0 {
		fillBench(b, l, n)
	}
	var some string
	d, err := l.DocumentsAfter(ctx, "", 1)
	must(err)
	some = string(d[0].Intake.Slip.Dossier)
	units, err := l.Units(ctx)
	must(err)
	h := benched{dossier: some, document: d[0].Intake.ID, unit: units[len(units)-1].Parent, tokens: map[dossier.Role]string{}}
	for _, role := range []dossier.Role{dossier.Manager, dossier.Officer, dossier.Admin} {
		h.tokens[role], _, err = l.CreateToken(ctx, dossier.Token{Role: role, Unit: "H51"})
		must(err)
	}
	h.tokens[dossier.Clerk], _, err = l.CreateToken(ctx, dossier.Token{Role: dossier.Clerk, Unit: h.unit})
	must(err)
	srv := httptest.NewServer(web.New(web.Options{Pipeline: noPipeline{l}, Register: l, Source: l, Tokens: l, Lister: lister{l}, Owners: l, Inbox: inbox{l}, Closer: closer{&house{ledger: l}},
		Accounts: l, People: l, Auditor: l, SessionStore: l.Sessions(), Log: zerolog.Nop(),
		Operations: func(ctx context.Context) (web.Operations, error) {
			st, err := l.QueueStats(ctx)
			return web.Operations{Pending: st.Pending, Running: st.Running, Faulted: st.Faulted, Oldest: st.Oldest, Ledger: "bench"}, err
		}}))
	b.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

// fillBench makes n dossiers of 350 units in five years, documents for two of ten
// (half of those have the result as well), an audit log, a closing and an inbox.
func fillBench(b *testing.B, l *ledger.Ledger, n int) {
	b.Helper()
	ctx, start := context.Background(), time.Now()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	list := []dossier.Unit{{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province}}
	for i := 1; i < 350; i++ {
		u := dossier.Unit{Code: dossier.UnitCode(fmt.Sprintf("H51.%d", i)), Name: fmt.Sprint("Xã số ", i), Level: dossier.Commune, Parent: dossier.UnitCode(fmt.Sprintf("H51.%d", 20+i%11))}
		if i <= 30 {
			u.Level, u.Parent = dossier.District, "H51"
		}
		list = append(list, u)
	}
	_, err := l.ImportUnits(ctx, list)
	must(err)
	_, err = l.ImportProcedures(ctx, []dossier.Procedure{{Code: "1.004946", Name: "x", ReturnsDocument: true}, {Code: "1.000001", Name: "y"}})
	must(err)
	r := rand.New(rand.NewPCG(1, 2))
	// Many at once, as SQLite's writers commit together.
	papers := make(chan dossier.Record, 512)
	var writers sync.WaitGroup
	for range 64 {
		writers.Go(func() {
			for rec := range papers {
				in := dossier.Intake{ID: rec.ID, Slip: rec.Slip, Original: rec.Original, ReceivedAt: rec.ReceivedAt}
				if _, err := l.Receive(ctx, in); err != nil {
					b.Error(err)
				} else if err := l.Settle(ctx, rec); err != nil {
					b.Error(err)
				}
			}
		})
	}
	paper := func(d dossier.Registered, kind dossier.Kind) {
		id, err := uuid.NewV7()
		must(err)
		legal := kind == dossier.ResultKind && r.IntN(2) == 0
		papers <- dossier.Record{Schema: dossier.RecordSchema, ID: id.String(), Conforms: dossier.AsOriginal, ReceivedAt: d.ReceivedAt,
			Slip:     dossier.Slip{Kind: kind, Dossier: d.Code, Unit: d.Unit, By: "token:b", Door: dossier.DoorBackfill},
			Original: dossier.File{Key: "x", MediaType: "application/pdf", Size: 1, SHA256: dossier.Digest(fmt.Sprintf("%064x", r.Uint64()))},
			Verdict:  dossier.Verdict{Pages: 1, Signed: legal, LegalValue: legal}}
	}
	var batch []dossier.Registered
	for i := range n {
		u, status := list[1+r.IntN(349)], []dossier.Status{dossier.Received, dossier.Resolved, dossier.Returned}[r.IntN(3)]
		day := dossier.Date(20200101).AddDays(r.IntN(1826))
		d := dossier.Registered{Code: dossier.Code(fmt.Sprintf("%s-%06d-%06d", u.Code, int(day)%1000000, i)), Unit: u.Code,
			Procedure: []dossier.ProcedureCode{"1.004946", "1.000001"}[r.IntN(2)], Channel: dossier.Channel(1 + r.IntN(3)),
			ReceivedAt: day.Time().Add(9 * time.Hour), Status: status}
		if status != dossier.Received {
			d.ResolvedAt = day.Time().Add(50 * time.Hour)
		}
		if batch = append(batch, d); len(batch) < 500 && i < n-1 {
			continue
		}
		o, err := l.ImportDossiers(ctx, batch)
		must(err)
		if len(o.Bad) > 0 {
			b.Fatal(o.Bad[0])
		}
		for i, d := range batch {
			if i%5 == 0 {
				paper(d, dossier.Component)
			}
			if i%10 == 0 {
				paper(d, dossier.ResultKind)
			}
		}
		batch = batch[:0]
	}
	close(papers)
	writers.Wait()
	_, err = closer{&house{ledger: l}}.ClosePeriod(ctx, "2023", "H51", "token:b")
	must(err)
	for i := range n / 20 {
		must(l.Audit(ctx, dossier.Deed{By: fmt.Sprint("token:", i%50), Role: dossier.Clerk, Unit: list[1+i%349].Code, Action: dossier.ActSee, Object: fmt.Sprint(i), From: "127.0.0.1"}))
	}
	b.Logf("%d dossiers made in %v", n, time.Since(start).Round(time.Second))
}
