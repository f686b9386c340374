package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"sohoa/dossier"
	"sohoa/pipeline/backfill"
	"sohoa/pipeline/hotfolder"
	"sohoa/pipeline/pdf"
	"sohoa/web"
)

// trays are those of the hot folders that serve is told of; sohoa watch, which
// may run elsewhere, fills them.
type trays struct {
	h   *house
	all hotfolder.Trays
}

// openTrays opens the hot folders of --hot-folder: UNIT=DIR.
func (a *app) openTrays(ctx context.Context, h *house, folders []string) (*trays, error) {
	t := &trays{h: h}
	for _, s := range folders {
		code, dir, ok := strings.Cut(s, "=")
		if !ok || dir == "" {
			return nil, usage("--hot-folder: write UNIT=DIR")
		}
		unit, err := dossier.ParseUnitCode(code)
		if err != nil {
			return nil, usage("--hot-folder: %w", err)
		}
		f, err := hotfolder.Open(backfill.Local{Pipeline: h.pipeline, Again: h.ledger.Replay},
			hotfolder.Options{Dir: dir, Unit: unit, By: "hot-folder", Log: h.log, Now: a.now})
		if err != nil {
			return nil, usage("--hot-folder: %w", err)
		}
		h.closers = append(h.closers, f.Close)
		t.all = append(t.all, f)
	}
	return t, nil
}

// web is nil where there is no hot folder.
func (t *trays) web() web.Tray {
	if len(t.all) == 0 {
		return nil
	}
	return t
}

func (t *trays) Waiting(_ context.Context, units []dossier.UnitCode) ([]web.WaitingScan, error) {
	list, err := t.all.Waiting(units)
	out := make([]web.WaitingScan, 0, len(list))
	for _, w := range list {
		out = append(out, web.WaitingScan(w))
	}
	slices.SortStableFunc(out, func(a, b web.WaitingScan) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Name, b.Name))
	})
	return out, err
}

func (t *trays) find(id string) (*hotfolder.Folder, hotfolder.Waiting, error) {
	f, w, err := t.all.Find(id)
	return f, w, trayError(err)
}

func trayError(err error) error {
	if errors.Is(err, hotfolder.ErrNotWaiting) || errors.Is(err, pdf.ErrNoPage) {
		return web.ErrNotWaiting
	}
	return err
}

func (t *trays) Look(_ context.Context, id string) (web.WaitingScan, error) {
	_, w, err := t.find(id)
	return web.WaitingScan(w), err
}

func (t *trays) Picture(ctx context.Context, id string, page, dpi int) ([]byte, error) {
	f, _, err := t.find(id)
	if err != nil {
		return nil, err
	}
	at, err := f.Path(id)
	if err != nil {
		return nil, trayError(err)
	}
	s, err := t.h.judge.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	b, err := s.Picture(ctx, page, dpi)
	return b, trayError(err)
}

func (t *trays) File(ctx context.Context, id string, slip dossier.Slip) (dossier.Standing, error) {
	f, _, err := t.find(id)
	if err != nil {
		return dossier.Standing{}, err
	}
	st, err := f.File(ctx, id, slip)
	return st, trayError(err)
}

func (t *trays) Discard(_ context.Context, id string) error {
	f, _, err := t.find(id)
	if err != nil {
		return err
	}
	return trayError(f.Discard(id))
}
