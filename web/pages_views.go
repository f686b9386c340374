package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sohoa/dossier"
	"sohoa/tally"
)

func (s *server) routeViews() {
	s.route("GET /list", mayLook, s.listPage)
	s.route("GET /worklist", mayLook, s.worklist)
	s.route("GET /dossiers/{code}", mayLook, s.dossierPage)
	s.route("GET /documents/{id}", mayLook, s.documentPage)
	s.route("GET /documents/{id}/pages/{page}", mayLook, s.picture)
	s.route("GET /inbox", mayLook, s.inboxPage)
	s.route("POST /inbox/replay", maySend, s.replay)
	s.route("GET /operations", anyRole, s.operationsPage)
}

type listRow struct {
	Code                                       dossier.Code
	Unit, Procedure, ReceivedOn, Status, Lacks string
}

type listPageBody struct {
	Back, UnitName, PeriodText, Heading, Rule, Formula, First, Next string
	Whys                                                            []whyView
	Sides                                                           []struct {
		Text, Href string
		On         bool
	}
	Items []listRow
}

// whyView is how many dossiers of a list lack something, first of all.
type whyView struct{ Count, Text, Href string }

func (s *server) listPage(w http.ResponseWriter, r *http.Request) error {
	ctx, l, v := r.Context(), lang(r), r.URL.Query()
	in := listInput{FiguresInput: figuresOf(v), Indicator: cmp.Or(v.Get("indicator"), shown[0]),
		Side: cmp.Or(v.Get("side"), string(tally.Missing)), After: v.Get("after"), Limit: 50, Own: v.Get("own") == "true"}
	if !slices.Contains([]tally.Side{tally.Counted, tally.Missing, tally.All}, tally.Side(in.Side)) {
		return badValue("side")
	}
	x, err := s.list(ctx, in)
	if err != nil {
		return err
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	b := listPageBody{UnitName: tree.by[x.Unit].Name, PeriodText: tally.PeriodText(x.Period, l),
		Rule: x.indicator.Rule.In(l), Formula: x.Version,
		Heading: sayOf(l, "list-"+string(x.side), x.total, x.indicator.Name.In(l))}
	if in.Own {
		b.UnitName = fmt.Sprintf(say(l, "own-dossiers"), b.UnitName)
	}
	fv := in.FiguresInput.values()
	fv.Set("unit", string(x.Unit))
	b.Back = link("/", fv)
	at := func(side, after string) string {
		return link("/list", fv, "indicator", in.Indicator, "side", side, "after", after, "own", v.Get("own"))
	}
	for _, side := range []tally.Side{tally.Missing, tally.Counted, tally.All} {
		b.Sides = append(b.Sides, struct {
			Text, Href string
			On         bool
		}{say(l, "side-"+string(side)), at(string(side), ""), side == x.side})
	}
	if in.After != "" {
		b.First = at(in.Side, "")
	}
	if x.page.Next != "" {
		b.Next = at(in.Side, x.page.Next)
	}
	if x.side == tally.Missing {
		lacks, err := s.reasons(ctx, x.indicator, x.units, x.Period)
		if err != nil {
			return err
		}
		for _, y := range lacks {
			b.Whys = append(b.Whys, whyView{grouped(y.n), y.why.Text().In(l), link("/list", fv, "indicator", y.id, "side", string(tally.All), "own", v.Get("own"))})
		}
	}
	for _, d := range x.page.Items {
		row := listRow{Code: d.Code, Unit: cmp.Or(tree.by[d.Unit].Name, string(d.Unit)), Procedure: string(d.Procedure),
			ReceivedOn: dayOf(d.ReceivedAt), Status: named(l, "status", string(d.Status))}
		var lacks []string
		for _, why := range x.indicator.Missing(&d) {
			lacks = append(lacks, why.Text().In(l))
		}
		row.Lacks = strings.Join(lacks, ", ")
		b.Items = append(b.Items, row)
	}
	return s.render(w, r, http.StatusOK, "list", b.Heading, b)
}

// lack is how many dossiers are not counted for want of something.
type lack struct {
	id  string // of the count, for its list
	why tally.Why
	n   int64
}

// reasons split what is missing of a rate by the first thing that is lacking, from
// the counters: they add up to it. A rate that asks for one thing only has none.
func (s *server) reasons(ctx context.Context, i tally.Indicator, units []dossier.UnitCode, p dossier.Period) ([]lack, error) {
	reasons := i.Reasons()
	if len(reasons) == 0 {
		return nil, nil
	}
	var series []tally.Series
	for _, r := range reasons {
		series = append(series, r.Series())
	}
	cells, err := s.Source.Totals(ctx, units, series, p)
	if err != nil {
		return nil, err
	}
	counts := map[tally.Series]int64{}
	for _, c := range cells {
		counts[c.Series] = c.Denominator
	}
	var out []lack
	for n, r := range reasons {
		if counts[r.Series()] > 0 {
			out = append(out, lack{r.ID, i.Requires[n].Lack, counts[r.Series()]})
		}
	}
	return out, nil
}

type fact struct {
	Name, Value string
	On          bool
}

// paperView is a document in a list.
type paperView struct {
	ID, Name, Kind, Pages, DPI, State, Sign, Class, ReceivedAt string
	Replaceable                                                bool
}

// standingSign says where a document stands: a sign, its class and words.
func standingSign(st dossier.Standing, l string) (sign, class, words string) {
	switch {
	case st.Deleted:
		return "–", "soft", say(l, "state-deleted")
	case st.Revoked:
		return "–", "soft", say(l, "state-revoked")
	case st.ReplacedBy != "":
		return "–", "soft", say(l, "state-replaced")
	}
	switch st.State {
	case dossier.Stored:
		var flags []string
		for _, f := range st.Record.Verdict.Findings {
			flags = append(flags, f.Flag.Text().In(l))
		}
		if len(flags) > 0 {
			return "⚑", "warn", flags[0]
		}
		if st.Legal {
			return "✔", "ok", say(l, "state-legal")
		}
		return "✔", "ok", say(l, "state-stored")
	case dossier.Refused:
		return "✘", "no", st.Refusal.Message.In(l)
	case dossier.Faulted:
		return "!", "warn", say(l, "state-faulted")
	}
	return "◔", "soft", say(l, "state-pending")
}

func paperOf(st dossier.Standing, l string) paperView {
	in := st.Intake
	p := paperView{ID: in.ID, Kind: named(l, "kind", string(in.Slip.Kind)), ReceivedAt: clock(in.ReceivedAt),
		Name: paperName(st.Slip(), l)}
	p.Sign, p.Class, p.State = standingSign(st, l)
	if st.Record != nil {
		p.Replaceable = st.State == dossier.Stored && st.ReplacedBy == "" && !st.Revoked && !st.Deleted
		p.Pages = strconv.Itoa(st.Record.Verdict.Pages)
		if d := st.Record.Verdict.MinDPI; d > 0 {
			p.DPI = strconv.Itoa(d)
		}
	}
	return p
}

func paperName(s dossier.Slip, l string) string {
	for _, n := range []string{s.Name, s.Number, s.FileName, string(s.Paper)} {
		if n != "" {
			return n
		}
	}
	return named(l, "kind", string(s.Kind))
}

type dossierPageBody struct {
	Code              dossier.Code
	Subtitle, Station string
	Known             bool
	Facts, Indicators []fact
	Documents         []paperView
}

func (s *server) dossierPage(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	d, known, docs, err := s.dossier(ctx, r.PathValue("code"))
	if err != nil {
		return err
	}
	b := dossierPageBody{Code: d.Code, Known: known}
	b.Subtitle, err = s.subtitle(ctx, d, known, l)
	if err != nil {
		return err
	}
	if maySend.Roles[actorOf(ctx).Role] != ReachNone {
		b.Station = "/station?" + url.Values{"code": {string(d.Code)}}.Encode()
	}
	if known {
		channel := []string{"", "channel-direct", "channel-online", "channel-postal"}[min(max(int(d.Channel), 0), 3)]
		b.Facts = facts(l, "procedure", string(d.Procedure), "status", named(l, "status", string(d.Status)),
			"received-on", dayOf(d.ReceivedAt), "resolved-on", dayOf(d.ResolvedAt), "synced-on", dayOf(d.SyncedAt),
			"returns", yesNo(d.ReturnsDocument, l))
		if channel != "" {
			b.Facts = append(b.Facts, fact{Name: say(l, "channel"), Value: say(l, channel)})
		}
		for _, i := range tally.InVersion(tally.DefaultVersion) {
			if !i.Denominator(&d) {
				continue
			}
			var lacks []string
			for _, why := range i.Missing(&d) {
				lacks = append(lacks, why.Text().In(l))
			}
			b.Indicators = append(b.Indicators, fact{i.Name.In(l), strings.Join(lacks, ", "), len(lacks) == 0})
		}
	}
	for _, st := range docs {
		b.Documents = append(b.Documents, paperOf(st, l))
	}
	return s.render(w, r, http.StatusOK, "dossier", string(d.Code), b)
}

// subtitle is the dossier in one line.
func (s *server) subtitle(ctx context.Context, d dossier.Dossier, known bool, l string) (string, error) {
	tree, err := s.trees.get(ctx)
	if err != nil {
		return "", err
	}
	parts := []string{cmp.Or(tree.by[d.Unit].Name, string(d.Unit))}
	if known {
		parts = append(parts, string(d.Procedure))
		if on := dayOf(d.ReceivedAt); on != "" {
			parts = append(parts, say(l, "received-on-day")+" "+on)
		}
	}
	return strings.Join(parts, " · "), nil
}

func yesNo(v bool, l string) string {
	if v {
		return say(l, "yes")
	}
	return say(l, "no")
}

// facts pairs keys of the catalogue with values, leaving out what is empty.
func facts(l string, kv ...string) []fact {
	var out []fact
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			out = append(out, fact{Name: say(l, kv[i]), Value: kv[i+1]})
		}
	}
	return out
}

type signatureView struct{ Signer, At, Verdict, Class string }

type eventView struct{ At, Type, Detail, Other string }

type documentPageBody struct {
	ID, Name, Kind, State, Sign, Class, Message, ReplacedBy, Original, Archive string
	Dossier                                                                    dossier.Code
	Held                                                                       bool
	Swept                                                                      string
	Orders                                                                     []string
	Findings                                                                   []string
	Pages                                                                      []int
	Facts                                                                      []fact
	Signatures                                                                 []signatureView
	Events                                                                     []eventView
}

// maxPictures is how many pages a document's page shows; the rest is in the file.
const maxPictures = 50

func (s *server) documentPage(w http.ResponseWriter, r *http.Request) error {
	ctx, l := r.Context(), lang(r)
	st, err := s.reach(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := s.audit(ctx, dossier.ActSee, unitOf(st), st.Intake.ID); err != nil {
		return err
	}
	slip, file := st.Intake.Slip, st.Intake.Original
	if st.Record != nil {
		slip, file = st.Slip(), st.Record.Original
	}
	b := documentPageBody{ID: st.Intake.ID, Name: paperName(slip, l), Dossier: slip.Dossier, Kind: named(l, "kind", string(slip.Kind)), ReplacedBy: st.ReplacedBy}
	b.Sign, b.Class, b.State = standingSign(st, l)
	kv := []string{"kind", b.Kind, "paper-code", string(slip.Paper), "number", slip.Number, "issued-on", slip.IssuedOn.Local(),
		"issued-by", slip.IssuedBy, "file-name", slip.FileName, "received-at", clock(st.Intake.ReceivedAt), "door", named(l, "door", string(slip.Door)),
		"size", size(file.Size, l), "sha-256", string(file.SHA256)}
	switch {
	case st.Swept:
		b.Swept = say(l, "swept")
	case !st.Deleted:
		b.Original = documentPath(b.ID) + "/original"
	}
	later, err := s.later(ctx, st)
	if err != nil {
		return err
	}
	b.Held = dossier.Held(later)
	switch {
	case st.Refusal != nil:
		b.State, b.Message = say(l, "state-rejected"), st.Refusal.Message.In(l)
	case st.State == dossier.Faulted:
		b.Message = faulted.In(l)
	case st.Record != nil:
		v := st.Record.Verdict
		if !st.Deleted {
			b.Archive = documentPath(b.ID) + "/archive"
			for n := range min(v.Pages, maxPictures) {
				if s.Pictures != nil {
					b.Pages = append(b.Pages, n+1)
				}
			}
		}
		kv = append(kv, "pages", strconv.Itoa(v.Pages), "page-size", v.PageSize, "profile", v.Profile, "archive-copy", named(l, "conforms", string(st.Record.Conforms)))
		if v.MinDPI > 0 {
			kv = append(kv, "resolution", strconv.Itoa(v.MinDPI)+" dpi")
		}
		if v.Colour != "" {
			kv = append(kv, "colour", named(l, "colour", string(v.Colour)))
		}
		for _, f := range v.Findings {
			text := f.Flag.Text().In(l)
			if f.Page > 0 {
				text = fmt.Sprintf("%s %d: %s", say(l, "page"), f.Page, text)
			}
			b.Findings = append(b.Findings, text)
		}
		switch inForce := st.ReplacedBy == "" && !st.Revoked && !st.Deleted; {
		case !inForce: // that says more
		case st.Legal:
			b.State = say(l, "state-legal")
		case v.LegalValue || len(v.Findings) > 0: // another opinion since; or it says only what is odd
			b.State = say(l, "state-stored")
		}
		for _, g := range v.Signatures {
			b.Signatures = append(b.Signatures, signatureOf(g, l))
		}
		b.Events = lifeOf(append(slices.Clone(st.Record.Events), later...), l)
	case st.Tombstone != nil:
		b.Events = lifeOf(st.Tombstone.Events, l)
	}
	b.Facts = facts(l, kv...)
	if s.Orders != nil && mayOrder.Roles[actorOf(ctx).Role] != ReachNone {
		b.Orders = ordersFor(st, b.Held)
	}
	return s.render(w, r, http.StatusOK, "document", b.Name, b)
}

// later is what happened to a document after its record was written.
func (s *server) later(ctx context.Context, st dossier.Standing) ([]dossier.Event, error) {
	if s.Life == nil {
		return nil, nil
	}
	return s.Life(ctx, st.Intake.ID)
}

// lifeOf is what happened to a document.
func lifeOf(events []dossier.Event, l string) []eventView {
	var out []eventView
	for _, e := range events {
		detail, other := e.Detail, ""
		switch e.Type {
		case dossier.EventReplacement, dossier.EventReuse, dossier.EventRevocation: // it names a document, if anything
			detail, other = "", e.Detail
		}
		for _, more := range []string{outcomeOf(e, l), e.Order, e.Reason} {
			if more != "" {
				detail = strings.TrimPrefix(detail+" · "+more, " · ")
			}
		}
		out = append(out, eventView{clock(e.At), named(l, "event", e.Type), detail, other})
	}
	return out
}

// outcomeOf says how an event ended where that is not plain.
func outcomeOf(e dossier.Event, l string) string {
	if e.Outcome == "" || e.Outcome == dossier.OutcomeSuccess {
		return ""
	}
	return named(l, "outcome", e.Outcome)
}

// named is the text for a value that came from elsewhere, or, where there is
// none, the value itself: an old record must not keep its page from being shown.
func named(l, what, value string) string {
	if m, ok := messages[what+"-"+value]; ok {
		return m.In(l)
	}
	return value
}

func signatureOf(g dossier.Signature, l string) signatureView {
	v := signatureView{Signer: g.Signer, At: clock(g.SignedAt)}
	switch {
	case !g.Intact:
		v.Verdict, v.Class = "✘ "+say(l, "signature-broken"), "no"
	case g.Revoked:
		v.Verdict, v.Class = "✘ "+say(l, "signature-revoked"), "no"
	case g.ChangedAfter:
		v.Verdict, v.Class = "⚑ "+say(l, "signature-changed"), "warn"
	case g.Trusted:
		v.Verdict, v.Class = "✔ "+say(l, "signature-trusted"), "ok"
	default:
		v.Verdict, v.Class = "✔ "+say(l, "signature-intact"), "ok"
	}
	return v
}

// picture draws one page. It is a picture that we made, so it may be shown.
func (s *server) picture(w http.ResponseWriter, r *http.Request) error {
	if s.Pictures == nil {
		return problem("not-wired", nil)
	}
	st, err := s.reach(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	page, err := strconv.Atoi(r.PathValue("page"))
	if st.Deleted || st.Record == nil || err != nil || page < 1 || page > st.Record.Verdict.Pages {
		return problem("unknown-document", nil)
	}
	dpi := 72
	switch r.URL.Query().Get("dpi") {
	case "":
	case "24": // a thumbnail
		dpi = 24
	case "150":
		dpi = 150
	default:
		return badValue("dpi")
	}
	tag := fmt.Sprintf(`"%s-%d-%d"`, st.Record.Original.SHA256, page, dpi)
	h := w.Header()
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if err := s.audit(r.Context(), dossier.ActSee, unitOf(st), st.Intake.ID); err != nil {
		return err
	}
	b, err := s.Pictures.Picture(r.Context(), st, page, dpi)
	if err != nil {
		h.Del("ETag")
		return err
	}
	h.Set("Content-Type", "image/png")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // the client may be gone: nobody is left to tell
	return nil
}

type inboxItem struct {
	ID, ReceivedAt, Unit, Kind string
	Dossier                    dossier.Code
}

// inboxGroup is what failed for one reason: the stage in which we failed. Causes
// are what the program said, for whoever mends it.
type inboxGroup struct {
	Message, Count string
	Causes         []string
	MayReplay      bool
	Items          []inboxItem
}

// maxCauses is how many different causes a group tells; more say nothing more.
const maxCauses = 3

// faultReason is the stage that Process names before the cause.
func faultReason(message string) string {
	stage, _, _ := strings.Cut(message, ": ")
	if _, ok := messages["fault-"+stage]; ok {
		return stage
	}
	return "other"
}

func (s *server) inboxPage(w http.ResponseWriter, r *http.Request) error {
	if s.Inbox == nil {
		return problem("not-wired", nil)
	}
	ctx, l := r.Context(), lang(r)
	who := actorOf(ctx)
	units := []dossier.UnitCode{}
	for u := range who.units {
		units = append(units, u)
	}
	slices.Sort(units)
	list, err := s.Inbox.Faulted(ctx, units, 500)
	if err != nil {
		return err
	}
	tree, err := s.trees.get(ctx)
	if err != nil {
		return err
	}
	var b struct {
		MayReplay bool
		Groups    []inboxGroup
	}
	b.MayReplay = maySend.Roles[who.Role] != ReachNone
	at := map[string]int{}
	for _, f := range list {
		reason := faultReason(f.Message)
		n, ok := at[reason]
		if !ok {
			n = len(b.Groups)
			at[reason] = n
			b.Groups = append(b.Groups, inboxGroup{Message: say(l, "fault-"+reason), MayReplay: b.MayReplay})
		}
		if g := &b.Groups[n]; f.Message != "" && len(g.Causes) < maxCauses && !slices.Contains(g.Causes, f.Message) {
			g.Causes = append(g.Causes, f.Message)
		}
		b.Groups[n].Items = append(b.Groups[n].Items, inboxItem{f.ID, clock(f.ReceivedAt), cmp.Or(tree.by[f.Unit].Name, string(f.Unit)),
			named(l, "kind", string(f.Kind)), f.Dossier})
	}
	for i := range b.Groups {
		b.Groups[i].Count = sayOf(l, "files", int64(len(b.Groups[i].Items)))
	}
	return s.render(w, r, http.StatusOK, "inbox", say(l, "inbox"), b)
}

// replay puts documents back into the queue: all that were asked for, if all may
// be touched, else none.
func (s *server) replay(w http.ResponseWriter, r *http.Request) error {
	if s.Inbox == nil {
		return problem("not-wired", nil)
	}
	if err := form(w, r); err != nil {
		return err
	}
	ids := r.PostForm["id"]
	reached := map[string]dossier.UnitCode{}
	for _, id := range ids {
		st, err := s.reach(r.Context(), id)
		if err != nil {
			return err
		}
		reached[id] = unitOf(st)
	}
	for _, id := range ids {
		if err := s.audit(r.Context(), dossier.ActReplay, reached[id], id); err != nil {
			return err
		}
		if err := s.Inbox.Replay(r.Context(), id); err != nil {
			return err
		}
	}
	http.Redirect(w, r, "/inbox", http.StatusSeeOther)
	return nil
}
