package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/storage/ledger"
	"sohoa/web"
)

type benched struct{ url, token, dossier string }

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

// benchHouse is a ledger of n dossiers in 350 units behind the doors.
func benchHouse(b *testing.B, n int) benched {
	b.Helper()
	ctx := context.Background()
	l, err := ledger.Open(ctx, "sqlite:"+filepath.Join(b.TempDir(), "ledger.db")+"?synchronous=OFF", ledger.Options{Log: zerolog.Nop()})
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
	list := []dossier.Unit{{Code: "H51", Name: "Tỉnh Sóc Trăng", Level: dossier.Province}}
	for i := 1; i < 350; i++ {
		u := dossier.Unit{Code: dossier.UnitCode(fmt.Sprintf("H51.%d", i)), Name: fmt.Sprint("Xã số ", i), Level: dossier.Commune, Parent: dossier.UnitCode(fmt.Sprintf("H51.%d", 20+i%11))}
		if i <= 30 {
			u.Level, u.Parent = dossier.District, "H51"
		}
		list = append(list, u)
	}
	_, err = l.ImportUnits(ctx, list)
	must(err)
	_, err = l.ImportProcedures(ctx, []dossier.Procedure{{Code: "1.004946", Name: "x", ReturnsDocument: true}, {Code: "1.000001", Name: "y"}})
	must(err)
	r := rand.New(rand.NewPCG(1, 2))
	batch := make([]dossier.Registered, 0, 500)
	flush := func() {
		o, err := l.ImportDossiers(ctx, batch)
		must(err)
		if len(o.Bad) > 0 {
			b.Fatal(o.Bad[0])
		}
		for i, d := range batch {
			if i%3 != 0 {
				continue
			}
			id, err := uuid.NewV7()
			must(err)
			in := dossier.Intake{ID: id.String(), ReceivedAt: d.ReceivedAt, Slip: dossier.Slip{Kind: dossier.Component, Dossier: d.Code, Unit: d.Unit, By: "token:b", Door: dossier.DoorBackfill},
				Original: dossier.File{Key: "x", MediaType: "application/pdf", Size: 1, SHA256: dossier.Digest(fmt.Sprintf("%064x", r.Uint64()))}}
			_, err = l.Receive(ctx, in)
			must(err)
			must(l.Settle(ctx, dossier.Record{Schema: dossier.RecordSchema, ID: in.ID, Slip: in.Slip, Original: in.Original, Conforms: dossier.AsOriginal, Verdict: dossier.Verdict{Pages: 1}, ReceivedAt: in.ReceivedAt}))
		}
		batch = batch[:0]
	}
	some := ""
	for i := range n {
		u := list[1+r.IntN(349)]
		day := dossier.Date(20200101).AddDays(r.IntN(1826))
		batch = append(batch, dossier.Registered{Code: dossier.Code(fmt.Sprintf("%s-%06d-%06d", u.Code, int(day)%1000000, i)), Unit: u.Code,
			Procedure: []dossier.ProcedureCode{"1.004946", "1.000001"}[r.IntN(2)], Channel: dossier.Channel(1 + r.IntN(3)),
			ReceivedAt: day.Time().Add(9 * time.Hour), Status: dossier.Received})
		some = string(batch[len(batch)-1].Code)
		if len(batch) == cap(batch) {
			flush()
		}
	}
	flush()
	secret, _, err := l.CreateToken(ctx, dossier.Token{Role: dossier.Manager, Unit: "H51"})
	must(err)
	srv := httptest.NewServer(web.New(web.Options{Pipeline: noPipeline{l}, Register: l, Source: l, Tokens: l, Lister: lister{l}, Inbox: inbox{l}, Closer: closer{&house{ledger: l}},
		Accounts: l, SessionStore: l.Sessions(), Log: zerolog.Nop()}))
	b.Cleanup(srv.Close)
	return benched{srv.URL, secret, some}
}
