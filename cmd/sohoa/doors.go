package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sohoa/dossier"
	"sohoa/storage/ledger"
	"sohoa/tally"
	"sohoa/web"
)

// webOptions hands the doors what they ask for.
func (a *app) webOptions(h *house, tray *trays) web.Options {
	started := a.now()
	return web.Options{
		Pipeline: h.pipeline, Uploads: h.pipeline, Register: h.ledger, Source: h.ledger, Behind: h.ledger, Tokens: h.ledger,
		Importer: h, Lister: lister{h.ledger}, Targets: h.targets, Imported: h.ledger.Indicators,
		Accounts: h.ledger, SessionStore: h.ledger.Sessions(), SignOn: a.signOn, People: h.ledger, Orders: h.pipeline, Closer: closer{h},
		Pictures: h, Inbox: inbox{h.ledger}, Owners: h.ledger, Auditor: h.ledger, Tray: tray.web(),
		Life:          h.ledger.Events,
		Runs:          h.ledger,
		SecureCookies: a.secureCookies, BehindProxy: a.behindProxy, Registry: h.metrics,
		Operations: func(ctx context.Context) (web.Operations, error) {
			s, err := h.ledger.QueueStats(ctx)
			if err != nil {
				return web.Operations{}, err
			}
			o := web.Operations{Pending: s.Pending, Running: s.Running, Faulted: s.Faulted, StartedAt: started,
				Oldest: s.Oldest,
				Ledger: kindOf(a.database, "SQLite"), Store: kindOf(a.store, "directory")}
			if err != nil {
				return o, err
			}
			o.Checked, err = h.ledger.LastWholeCheck(ctx)
			if err != nil {
				return o, err
			}
			if o.Runs, err = h.ledger.Runs(ctx); err != nil {
				return o, err
			}
			o.Checks, err = h.ledger.Checks(ctx)
			return o, err
		},
		Trace:       h.traces.request(),
		Ready:       h.ledger.Ready,
		Unavailable: h.outages.unavailable,
		Log:         h.log, Now: a.now, Version: version(), MaxBody: a.limit,
	}
}

// kindOf names a part without its address, which may hold credentials.
func kindOf(url, fallback string) string {
	for i, r := range url {
		if r == ':' {
			return url[:i]
		}
	}
	return fallback
}

// targets are the default ones, overridden by what the ledger keeps.
func (h *house) targets(ctx context.Context) (tally.Targets, error) {
	own, err := h.ledger.Targets(ctx)
	if err != nil {
		return nil, err
	}
	out := tally.DefaultTargets()
	for _, t := range own {
		p, err := tally.ParsePercent(t.Value)
		if err != nil {
			return nil, fmt.Errorf("target of %s: %w", t.Indicator, err)
		}
		out = append(out, tally.Target{Indicator: t.Indicator, Unit: t.Unit, Year: t.Year, Percent: p})
	}
	return out, nil
}

type lister struct{ l *ledger.Ledger }

func (l lister) List(ctx context.Context, q web.ListQuery) (web.ListPage, error) {
	page, err := l.l.List(ctx, ledger.ListQuery{Indicator: q.Indicator.ID, Version: q.Indicator.Version, Side: q.Side,
		Units: q.Units, Period: q.Period, Procedure: q.Procedure, Channel: q.Channel, After: ledger.Cursor(q.After), Limit: q.Limit})
	if errors.Is(err, ledger.ErrQuery) {
		err = web.ErrCursor
	}
	return web.ListPage{Items: page.Items, Next: string(page.Next)}, err
}

// closer closes periods and lists the closed ones.
type closer struct{ h *house }

func (c closer) ClosePeriod(ctx context.Context, period string, unit dossier.UnitCode, by string) (web.Closing, error) {
	p, err := dossier.ParsePeriod(period)
	if err != nil {
		return web.Closing{}, err
	}
	kept, err := c.h.closePeriod(ctx, period, tally.Query{Period: p, Unit: unit}, by)
	return closingOf(kept), err
}

func (c closer) Closings(ctx context.Context, units []dossier.UnitCode) ([]web.Closing, error) {
	list, err := c.h.ledger.ClosingsOf(ctx, units)
	out := make([]web.Closing, 0, len(list))
	for _, k := range list {
		out = append(out, closingOf(k))
	}
	return out, err
}

func (c closer) Closed(ctx context.Context, id string) (web.Closing, tally.Snapshot, bool, error) {
	k, found, err := c.h.ledger.Closing(ctx, id)
	if err != nil || !found {
		return web.Closing{}, tally.Snapshot{}, false, err
	}
	snap, err := tally.DecodeSnapshot(k.Content, k.SHA256)
	if err != nil {
		return web.Closing{}, snap, false, fmt.Errorf("closing %s: %w", k.ID, err)
	}
	return closingOf(k), snap, true, nil
}

func closingOf(c ledger.Closing) web.Closing {
	return web.Closing{ID: c.ID, Period: c.Period, Unit: c.Unit, At: c.At, By: c.By, SHA256: c.SHA256}
}

type inbox struct{ l *ledger.Ledger }

func (i inbox) Faulted(ctx context.Context, units []dossier.UnitCode, limit int) ([]web.Fault, error) {
	faults, err := i.l.Faulted(ctx, units, limit)
	out := make([]web.Fault, 0, len(faults))
	for _, f := range faults {
		out = append(out, web.Fault(f))
	}
	return out, err
}

func (i inbox) Replay(ctx context.Context, id string) error { return i.l.Replay(ctx, id) }

// Picture draws a page of a document in a child process.
func (h *house) Picture(ctx context.Context, st dossier.Standing, page, dpi int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return h.pipeline.Picture(ctx, st, page, dpi)
}
