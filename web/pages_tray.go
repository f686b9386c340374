package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sohoa/dossier"
)

func (s *server) routeTrayPages() {
	s.route("GET /tray", maySend, s.trayPage)
	s.route("POST /tray/file", maySend, s.trayFile)
	s.route("POST /tray/discard", maySend, s.trayDiscard)
}

type trayRow struct {
	Name, Unit, Kind, Size, Time, Href string
	Here                               bool
}

type trayBody struct {
	Count          string
	Problem        string
	Done           *paperView // what became of the one before
	DoneMessage    string
	One            *WaitingScan
	Page           int
	Previous, Next string // pages of the one
	Facts          []fact
	Kinds          []option
	Filled         FilingBody
	Rows           []trayRow
}

func (s *server) trayPage(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	return s.renderTray(w, r, http.StatusOK, v.Get("id"), v.Get("done"), FilingBody{}, "")
}

// renderTray shows one scan, the oldest where none is asked for or the asked one
// is gone, with what is to be said of it, and then what else waits.
func (s *server) renderTray(w http.ResponseWriter, r *http.Request, status int, id, done string, filled FilingBody, trouble string) error {
	ctx, l := r.Context(), lang(r)
	list, err := s.waitingFor(ctx)
	if err != nil {
		return err
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	b := trayBody{Count: grouped(int64(len(list))), Problem: trouble, Filled: filled}
	if done != "" {
		if b.Done, b.DoneMessage, err = s.doneFromTray(ctx, done, l); err != nil {
			return err
		}
	}
	for i := range list {
		if list[i].ID == id || b.One == nil && id == "" {
			b.One = &list[i]
		}
	}
	if b.One == nil && len(list) > 0 {
		b.One = &list[0]
	}
	for _, x := range list {
		b.Rows = append(b.Rows, trayRow{Name: x.Name, Unit: cmp.Or(tree.by[x.Unit].Name, string(x.Unit)), Kind: named(l, "kind", string(x.Kind)),
			Size: size(x.Size, l), Time: clock(x.Time), Href: link("/tray", nil, "id", x.ID), Here: x.ID == b.One.ID})
	}
	if one := b.One; one != nil {
		if b.Filled.Kind == "" {
			b.Filled.Kind = string(one.Kind)
		}
		for _, k := range []dossier.Kind{dossier.Component, dossier.ResultKind, dossier.ResultInForce} {
			b.Kinds = append(b.Kinds, option{string(k), say(l, "kind-"+string(k)), string(k) == b.Filled.Kind})
		}
		b.Facts = facts(l, "unit", cmp.Or(tree.by[one.Unit].Name, string(one.Unit)), "received-at", clock(one.Time), "size", size(one.Size, l))
		b.Page = 1
		if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil && n > 1 && n < 10_000 {
			b.Page = n
			b.Previous = link("/tray", nil, "id", one.ID, "page", strconv.Itoa(n-1))
		}
		// Whether there is a further page, only drawing it tells; small, it is cheap.
		if _, err := s.Tray.Picture(ctx, one.ID, b.Page+1, 24); err == nil {
			b.Next = link("/tray", nil, "id", one.ID, "page", strconv.Itoa(b.Page+1))
		}
	}
	return s.render(w, r, status, "tray", say(l, "tray"), b)
}

// doneFromTray says what became of the scan that was filed last.
func (s *server) doneFromTray(ctx context.Context, id, l string) (*paperView, string, error) {
	st, err := s.reach(ctx, id)
	if errors.Is(err, dossier.ErrUnknownDocument) || errors.Is(err, errOutOfScope) {
		return nil, "", nil
	} else if err != nil {
		return nil, "", err
	}
	p := paperOf(st, l)
	return &p, string(st.Intake.Slip.Dossier), nil
}

func (s *server) trayFile(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	l, id := lang(r), r.PostFormValue("id")
	b := FilingBody{Dossier: strings.TrimSpace(r.PostFormValue("code")), Kind: r.PostFormValue("kind"), Name: r.PostFormValue("name"),
		Number: r.PostFormValue("number")}
	scan, err := s.waitingScan(r.Context(), id)
	if err != nil {
		return err
	}
	if b.Kind == string(dossier.ResultInForce) {
		b.Unit = string(scan.Unit)
	} else if found := dossier.FindCodes(b.Dossier); len(found) == 1 {
		b.Dossier = string(found[0]) // the reader read an address, or fields
	}
	st, err := s.fileScan(r.Context(), id, b)
	if err != nil {
		p := s.problemOf(err)
		if p.Status >= 500 {
			return err
		}
		return s.renderTray(w, r, p.Status, id, "", b, dossier.Text{VI: p.MessageVI, EN: p.MessageEN}.In(l))
	}
	http.Redirect(w, r, "/tray?"+url.Values{"done": {st.Intake.ID}}.Encode(), http.StatusSeeOther)
	return nil
}

func (s *server) trayDiscard(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	if err := s.discardScan(r.Context(), r.PostFormValue("id")); err != nil {
		return err
	}
	http.Redirect(w, r, "/tray", http.StatusSeeOther)
	return nil
}
