package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sohoa/dossier"
	"sohoa/pipeline"
	"sohoa/pipeline/hotfolder"
	"sohoa/pipeline/pdf"
	"sohoa/web"
)

// tray is hot folders as the program shows them.
type tray struct {
	all  hotfolder.Trays
	pool *pdf.Pool
}

// trays opens a hot folder of the province and one of its neighbour.
func (h *house) trays(t *testing.T, dir string, pool *pdf.Pool) tray {
	out := tray{pool: pool}
	h.hot = map[dossier.UnitCode]string{}
	for _, u := range []dossier.UnitCode{"H51", "H92"} {
		h.hot[u] = filepath.Join(dir, string(u))
		if err := os.MkdirAll(h.hot[u], 0o777); err != nil {
			t.Fatal(err)
		}
		f, err := hotfolder.Open(trayDoor{h.pipeline}, hotfolder.Options{Dir: h.hot[u], Unit: u, By: "x", Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		out.all = append(out.all, f)
	}
	return out
}

// waits lays a scan into the tray of the unit and returns its id.
func (h *house) waits(u dossier.UnitCode, b []byte) string {
	h.t.Helper()
	h.laid++
	name := fmt.Sprintf("scan %d.png", h.laid)
	dir := filepath.Join(h.hot[u[:3]], "tray", string(u))
	if len(u) == 3 {
		dir = filepath.Join(h.hot[u], "tray")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
		h.t.Fatal(err)
	}
	list, err := h.options.Tray.Waiting(context.Background(), []dossier.UnitCode{u})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, w := range list {
		if w.Name == name {
			return w.ID
		}
	}
	h.t.Fatalf("%s does not wait in the tray of %s: %v", name, u, list)
	return ""
}

type trayDoor struct{ p *pipeline.Pipeline }

func (d trayDoor) Submit(ctx context.Context, slip dossier.Slip, body io.ReadSeeker, _ int64) (dossier.Standing, error) {
	st, err := d.p.Receive(ctx, slip, body, pipeline.ReceiveOptions{})
	if err != nil || st.State != dossier.Pending {
		return st, err
	}
	return d.p.Wait(ctx, st.Intake.ID, time.Minute)
}

func (d trayDoor) Standing(ctx context.Context, id string) (dossier.Standing, error) {
	return d.p.Standing(ctx, id)
}

func (t tray) Waiting(_ context.Context, units []dossier.UnitCode) ([]web.WaitingScan, error) {
	list, err := t.all.Waiting(units)
	out := make([]web.WaitingScan, len(list))
	for i, w := range list {
		out[i] = web.WaitingScan(w)
	}
	return out, err
}

func gone(err error) error {
	if errors.Is(err, hotfolder.ErrNotWaiting) || errors.Is(err, pdf.ErrNoPage) {
		return web.ErrNotWaiting
	}
	return err
}

func (t tray) Look(_ context.Context, id string) (web.WaitingScan, error) {
	_, w, err := t.all.Find(id)
	return web.WaitingScan(w), gone(err)
}

func (t tray) Picture(ctx context.Context, id string, page, dpi int) ([]byte, error) {
	f, _, err := t.all.Find(id)
	if err != nil {
		return nil, gone(err)
	}
	at, err := f.Path(id)
	if err != nil {
		return nil, gone(err)
	}
	s, err := t.pool.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	b, err := s.Picture(ctx, page, dpi)
	return b, gone(err)
}

func (t tray) File(ctx context.Context, id string, slip dossier.Slip) (dossier.Standing, error) {
	f, _, err := t.all.Find(id)
	if err != nil {
		return dossier.Standing{}, gone(err)
	}
	st, err := f.File(ctx, id, slip)
	return st, gone(err)
}

func (t tray) Discard(_ context.Context, id string) error {
	f, _, err := t.all.Find(id)
	if err != nil {
		return gone(err)
	}
	return gone(f.Discard(id))
}

// A scan of the tray is seen, filed and gone; what cannot be filed so stays.
func TestTray(t *testing.T) {
	h := newHouse(t, setup{})
	clerk := h.token(dossier.Clerk, "H51.10")
	page := scan(t, "accept/page.png")
	file := func(id, body string) reply {
		return h.do(h.request("POST", "/api/v1/tray/"+id+"/file", clerk, strings.NewReader(body), "Content-Type", "application/json"))
	}
	lies := func(folder string, n int) {
		t.Helper()
		got := 0
		for _, u := range []string{"H51.10", "H51.11"} {
			entries, err := os.ReadDir(filepath.Join(h.hot["H51"], folder, u))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			got += len(entries)
		}
		if got != n {
			t.Errorf("%d files in %s, want %d", got, folder, n)
		}
	}
	own, sisters := h.waits("H51.10", page), h.waits("H51.11", page)
	var list []web.WaitingScan
	if r := h.do(h.request("GET", "/api/v1/tray", clerk, nil)); r.StatusCode != http.StatusOK {
		t.Fatal(r.StatusCode)
	} else if r.json(t, &list); len(list) != 1 || list[0].ID != own || list[0].Unit != "H51.10" || list[0].Name != "scan 1.png" {
		t.Errorf("%s", r.body)
	}
	r := h.do(h.request("GET", "/api/v1/tray/"+own+"/pages/1?dpi=50", clerk, nil))
	if _, err := png.Decode(bytes.NewReader(r.body)); err != nil || r.Header.Get("Content-Type") != "image/png" {
		t.Errorf("picture: %d %s %v", r.StatusCode, r.Header.Get("Content-Type"), err)
	}
	const good = `{"kind":"component","dossier":"H51.10-240830-0001","paper":"TK-01","name":"Tờ khai","owner_id":"012345678901"}`
	for _, c := range []struct {
		what   string
		r      reply
		status int
		code   string
	}{
		{"a page that is not there", h.do(h.request("GET", "/api/v1/tray/"+own+"/pages/2", clerk, nil)), 404, "not-waiting"},
		{"a sister's", file(sisters, good), 403, "out-of-scope"},
		{"a sister's dossier", file(own, `{"kind":"component","dossier":"H51.11-240830-0001"}`), 403, "out-of-scope"},
		{"no dossier", file(own, `{"kind":"component","dossier":"H51"}`), 422, "wrong-dossier"},
		{"a unit nobody knows", file(own, `{"kind":"component","dossier":"H77-240830-0001"}`), 404, "unknown-unit"},
		{"a bad owner", file(own, `{"kind":"component","dossier":"H51.10-240830-0001","owner_id":"12"}`), 400, "bad-value"},
		{"a result without a number", file(own, `{"kind":"result-in-force","unit":"H51.10"}`), 400, "bad-value"},
		{"good", file(own, good), 201, ""},
		{"once more", file(own, good), 404, "not-waiting"},
		{"the same bytes again", file(h.waits("H51.10", page), good), 200, ""},
		{"another scan of that paper", file(h.waits("H51.10", scan(t, "accept/scan-a5-grey.pdf")), good), 409, "paper-taken"},
		{"a bad scan", file(h.waits("H51.10", scan(t, "reject/low-resolution/100-dpi.pdf")), `{"kind":"component","dossier":"H51.10-240830-0001"}`), 422, "low-resolution"},
		{"a result in force", file(h.waits("H51.10", scan(t, "accept/signed-ec.pdf")), `{"kind":"result-in-force","unit":"H51.10","number":"12/QĐ-UBND","valid_to":"2030-01-02"}`), 201, ""},
	} {
		var p struct{ Code string }
		if len(c.r.body) > 0 {
			c.r.json(t, &p)
		}
		if c.r.StatusCode != c.status || p.Code != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.what, c.r.StatusCode, c.r.body, c.status, c.code)
		}
	}
	lies("tray", 2) // the sister's, and the one whose paper is taken
	lies("done", 3)
	lies("rejected", 2)
	other := h.waits("H51.10", page)
	if r := h.do(h.request("POST", "/api/v1/tray/"+other+"/discard", clerk, nil)); r.StatusCode != http.StatusNoContent {
		t.Errorf("discard: %d %s", r.StatusCode, r.body)
	}
	lies("tray", 2)
	lies("rejected", 4)
	if strings.Contains(h.log.String(), "scan 1.png") || strings.Contains(h.log.String(), "012345678901") {
		t.Error("the log names what is personal")
	}
}
