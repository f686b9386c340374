package tally

import (
	"slices"
	"strings"

	"sohoa/dossier"
)

// Versions of the formulas in circulation, after Decision 766/QĐ-TTg.
const (
	V2022          = "766-2022"
	V2026          = "766-2026"
	DefaultVersion = V2022
)

// Versions lists the formula versions, the default first.
func Versions() []string { return []string{V2022, V2026} }

// Requirement is one thing a dossier must have to be counted, and what to say
// when it has not.
type Requirement struct {
	Lack Why
	Met  func(*dossier.Dossier) bool
}

// Indicator is a rate in one version of its formula, or a plain count (Plain).
type Indicator struct {
	ID      string
	Version string       // empty for a plain count
	Name    dossier.Text // short, for a column
	Rule    dossier.Text // the formula in words
	Plain   bool

	// Day is the day on which the dossier counts, zero for none.
	Day func(*dossier.Dossier) dossier.Date
	// Denominator reports whether the dossier is one of those the rate is of. It
	// is true only where Day is not zero.
	Denominator func(*dossier.Dossier) bool
	// Requires says what the numerator asks beyond the denominator.
	Requires []Requirement

	series Series
	of     *Indicator // of a reason's count: the rate whose missing it splits
}

// Series names the indicator's cells. Versions that word an indicator alike
// share one series, since they cannot differ.
func (i Indicator) Series() Series { return i.series }

// Numerator reports whether the dossier is counted.
func (i Indicator) Numerator(d *dossier.Dossier) bool {
	if !i.Denominator(d) {
		return false
	}
	for _, r := range i.Requires {
		if !r.Met(d) {
			return false
		}
	}
	return true
}

// Missing says what a dossier of the denominator lacks to be counted. It is
// empty when, and only when, the dossier is counted or not of the denominator.
// Of a reason's count it says what its dossiers lack for the rate.
func (i Indicator) Missing(d *dossier.Dossier) []Why {
	if !i.Denominator(d) {
		return nil
	}
	if i.of != nil {
		return i.of.Missing(d)
	}
	var out []Why
	for _, r := range i.Requires {
		if !r.Met(d) {
			out = append(out, r.Lack)
		}
	}
	return out
}

// Reasons returns the counts that split a rate's missing dossiers by the first
// thing they lack, so that they add up to it: "4.2/no-result" is listed and
// summed like any other. A rate with one requirement has none: all its missing
// lack the same.
func (i Indicator) Reasons() []Indicator {
	if i.Plain || len(i.Requires) < 2 {
		return nil
	}
	var out []Indicator
	for n, r := range i.Requires {
		before := i.Requires[:n]
		out = append(out, Indicator{
			ID: i.ID + "/" + string(r.Lack), Version: i.Version, Plain: true, Day: i.Day, of: &i,
			Name: dossier.Text{VI: i.Name.VI + ": " + r.Lack.Text().VI, EN: i.Name.EN + ": " + r.Lack.Text().EN},
			Rule: dossier.Text{
				VI: "Hồ sơ chưa được tính vì " + r.Lack.Text().VI + " (" + lowerFirst(i.Rule.VI) + ")",
				EN: "Dossiers not counted for this reason: " + r.Lack.Text().EN + " (" + lowerFirst(i.Rule.EN) + ")"},
			Denominator: func(d *dossier.Dossier) bool {
				if !i.Denominator(d) || r.Met(d) {
					return false
				}
				for _, b := range before {
					if !b.Met(d) {
						return false
					}
				}
				return true
			},
			series: i.series + "/" + Series(r.Lack),
		})
	}
	return out
}

// On reports whether the dossier is on the side.
func (i Indicator) On(side Side, d *dossier.Dossier) bool {
	switch side {
	case Counted:
		return i.Numerator(d)
	case Missing:
		return i.Denominator(d) && !i.Numerator(d)
	case All:
		return i.Denominator(d)
	}
	return false
}

// Indicators lists the rates, all versions, in the order in which they are
// shown. A new one is one entry in formulas.
func Indicators() []Indicator {
	var out []Indicator
	for _, v := range Versions() {
		out = append(out, InVersion(v)...)
	}
	return out
}

// InVersion lists the indicators of one version; none for an unknown version.
func InVersion(version string) []Indicator { return slices.Clone(inVersion[version]) }

var inVersion = func() map[string][]Indicator {
	out := map[string][]Indicator{}
	for _, f := range formulas {
		for _, v := range f.in {
			i := f.Indicator
			i.Version = v
			i.series = f.name()
			out[v] = append(out[v], i)
		}
	}
	return out
}()

// Counts lists the plain counts of the manager's table.
func Counts() []Indicator {
	out := slices.Clone(counts)
	for n := range out {
		out[n].Plain = true
		out[n].series = Series(out[n].ID)
	}
	return out
}

// Find returns the indicator of that id in that version (empty: the default).
// The rows of the letter's appendix that repeat an indicator are other names
// for it: 4 is 4.2, 5 is 4.1, 7 is 4.3. A plain count is found in any version, a
// reason's count behind its rate: 4.2/no-result.
func Find(id, version string) (Indicator, bool) {
	if version == "" {
		version = DefaultVersion
	}
	id, reason, split := strings.Cut(id, "/")
	if a, ok := aliases[id]; ok {
		id = a
	}
	for _, i := range inVersion[version] {
		if i.ID != id {
			continue
		}
		if !split {
			return i, true
		}
		for _, r := range i.Reasons() {
			if r.ID == id+"/"+reason {
				return r, true
			}
		}
		return Indicator{}, false
	}
	if split {
		return Indicator{}, false
	}
	if slices.Contains(Versions(), version) {
		for _, i := range Counts() {
			if i.ID == id {
				return i, true
			}
		}
	}
	return Indicator{}, false
}

var aliases = map[string]string{"4": "4.2", "5": "4.1", "7": "4.3"}

// formula is an indicator with the versions that word it so.
type formula struct {
	in []string
	Indicator
}

func (f formula) name() Series { return Series(f.ID + "@" + f.in[0]) }

var formulas = []formula{
	{[]string{V2022, V2026}, Indicator{
		ID:   "3",
		Name: dossier.Text{VI: "Hồ sơ trực tuyến", EN: "Online dossiers"},
		Rule: dossier.Text{
			VI: "Hồ sơ nộp trực tuyến trên tổng số hồ sơ tiếp nhận trong kỳ",
			EN: "Dossiers handed in online, of all dossiers received in the period"},
		Day: received, Denominator: all,
		Requires: []Requirement{{NotOnline, online}},
	}},
	{[]string{V2022}, Indicator{
		ID:   "4.1",
		Name: dossier.Text{VI: "Kết quả điện tử", EN: "Electronic results"},
		Rule: dossier.Text{
			VI: "Hồ sơ có tệp kết quả có giá trị pháp lý (ký số) trên số hồ sơ tiếp nhận trong kỳ thuộc thủ tục có trả kết quả",
			EN: "Dossiers with a stored result of legal value, of those received in the period whose procedure returns a document"},
		Day: received, Denominator: returnsDocument,
		Requires: []Requirement{{NoResult, hasResult}, {NotSigned, legalWhereResult}},
	}},
	{[]string{V2026}, Indicator{
		ID:   "4.1",
		Name: dossier.Text{VI: "Kết quả điện tử", EN: "Electronic results"},
		Rule: dossier.Text{
			VI: "Hồ sơ có tệp kết quả có giá trị pháp lý (ký số) trên số hồ sơ đã giải quyết trong kỳ thuộc thủ tục có trả kết quả",
			EN: "Dossiers with a stored result of legal value, of those resolved in the period whose procedure returns a document"},
		Day: resolved, Denominator: resolvedReturnsDocument,
		Requires: []Requirement{{NoResult, hasResult}, {NotSigned, legalWhereResult}},
	}},
	{[]string{V2022}, Indicator{
		ID:   "4.2",
		Name: dossier.Text{VI: "Số hóa hồ sơ, kết quả", EN: "Digitised dossiers and results"},
		Rule: dossier.Text{
			VI: "Hồ sơ có ít nhất một tệp thành phần và, nếu thủ tục có trả kết quả, có tệp kết quả, trên tổng số hồ sơ tiếp nhận trong kỳ",
			EN: "Dossiers with at least one component file and, where the procedure returns a document, a result file, of all received in the period"},
		Day: received, Denominator: all,
		Requires: []Requirement{{NoComponent, hasComponent}, {NoResult, resultWhereReturned}},
	}},
	{[]string{V2026}, Indicator{
		ID:   "4.2",
		Name: dossier.Text{VI: "Số hóa hồ sơ, kết quả", EN: "Digitised dossiers and results"},
		Rule: dossier.Text{
			VI: "Hồ sơ có ít nhất một tệp thành phần và, nếu thủ tục có trả kết quả, có tệp kết quả, và đã đồng bộ lên Cổng Dịch vụ công quốc gia, trên tổng số hồ sơ tiếp nhận trong kỳ",
			EN: "Dossiers with at least one component file and, where the procedure returns a document, a result file, and synchronised to the national portal, of all received in the period"},
		Day: received, Denominator: all,
		Requires: []Requirement{{NoComponent, hasComponent}, {NoResult, resultWhereReturned}, {NotSynced, synced}},
	}},
	{[]string{V2022, V2026}, Indicator{
		ID:   "4.3",
		Name: dossier.Text{VI: "Dùng lại dữ liệu số hóa", EN: "Reuse of digitised data"},
		Rule: dossier.Text{
			VI: "Hồ sơ có ít nhất một thành phần dùng lại từ dữ liệu đã số hóa trên tổng số hồ sơ tiếp nhận trong kỳ",
			EN: "Dossiers with at least one component reused from digitised data, of all received in the period"},
		Day: received, Denominator: all,
		Requires: []Requirement{{NotReused, reused}},
	}},
	{[]string{V2022, V2026}, Indicator{
		ID:   "4.4",
		Name: dossier.Text{VI: "Kho dữ liệu cá nhân", EN: "Personal store"},
		Rule: dossier.Text{
			VI: "Hồ sơ có kết quả chuyển vào kho dữ liệu cá nhân, hoặc có thành phần lấy từ kho đó, trên tổng số hồ sơ tiếp nhận trong kỳ",
			EN: "Dossiers whose result was pushed to, or a component taken from, the personal store, of all received in the period"},
		Day: received, Denominator: all,
		Requires: []Requirement{{NotInPersonal, personal}},
	}},
	// "The same" in 766-2026 is read as the whole wording, the day of reception
	// included: only 4.1 speaks of the day of resolution.
	{[]string{V2022, V2026}, Indicator{
		ID:   "9",
		Name: dossier.Text{VI: "Đồng bộ lên Cổng quốc gia", EN: "Synchronised to the national portal"},
		Rule: dossier.Text{
			VI: "Hồ sơ đã đồng bộ lên Cổng Dịch vụ công quốc gia trên số hồ sơ tiếp nhận trong kỳ đã giải quyết",
			EN: "Dossiers synchronised to the national portal, of those received in the period that are resolved"},
		Day: received, Denominator: done,
		Requires: []Requirement{{NotSynced, synced}},
	}},
}

var counts = []Indicator{
	{ID: "received.direct", Name: dossier.Text{VI: "Tiếp nhận trực tiếp", EN: "Received at the counter"},
		Rule: dossier.Text{VI: "Hồ sơ tiếp nhận trực tiếp trong kỳ", EN: "Dossiers received at the counter in the period"},
		Day:  received, Denominator: func(d *dossier.Dossier) bool {
			return all(d) && d.Channel != dossier.Online && d.Channel != dossier.Postal
		}},
	{ID: "received.online", Name: dossier.Text{VI: "Tiếp nhận trực tuyến", EN: "Received online"},
		Rule: dossier.Text{VI: "Hồ sơ tiếp nhận trực tuyến trong kỳ", EN: "Dossiers received online in the period"},
		Day:  received, Denominator: func(d *dossier.Dossier) bool { return all(d) && d.Channel == dossier.Online }},
	{ID: "received.postal", Name: dossier.Text{VI: "Tiếp nhận qua bưu chính", EN: "Received by post"},
		Rule: dossier.Text{VI: "Hồ sơ tiếp nhận qua bưu chính trong kỳ", EN: "Dossiers received by post in the period"},
		Day:  received, Denominator: func(d *dossier.Dossier) bool { return all(d) && d.Channel == dossier.Postal }},
	{ID: "components", Name: dossier.Text{VI: "Có số hóa thành phần", EN: "With component files"},
		Rule: dossier.Text{VI: "Hồ sơ tiếp nhận trong kỳ có ít nhất một tệp thành phần", EN: "Dossiers received in the period with at least one component file"},
		Day:  received, Denominator: func(d *dossier.Dossier) bool { return all(d) && hasComponent(d) }},
	{ID: "synced", Name: dossier.Text{VI: "Đã có trên Cổng quốc gia", EN: "Known to the national portal"},
		Rule: dossier.Text{VI: "Hồ sơ tiếp nhận trong kỳ đã đồng bộ lên Cổng Dịch vụ công quốc gia, đã giải quyết hay chưa", EN: "Dossiers received in the period that are synchronised to the national portal, resolved or not"},
		Day:  received, Denominator: func(d *dossier.Dossier) bool { return all(d) && synced(d) }},
	{ID: "resolved", Name: dossier.Text{VI: "Đã giải quyết", EN: "Resolved"},
		Rule: dossier.Text{VI: "Hồ sơ giải quyết xong trong kỳ, theo ngày giải quyết", EN: "Dossiers resolved in the period, by the day of resolution"},
		Day:  resolved, Denominator: resolvedInTime},
}

// The words the formulas are made of. What is withdrawn, rejected or cancelled,
// and what has no day of reception, is in none of them.

func received(d *dossier.Dossier) dossier.Date { return dossier.DateOf(d.ReceivedAt) }
func resolved(d *dossier.Dossier) dossier.Date { return dossier.DateOf(d.ResolvedAt) }

func all(d *dossier.Dossier) bool {
	return !d.ReceivedAt.IsZero() &&
		(d.Status == dossier.Received || d.Status == dossier.Resolved || d.Status == dossier.Returned)
}

func done(d *dossier.Dossier) bool {
	return all(d) && d.Status != dossier.Received
}

func resolvedInTime(d *dossier.Dossier) bool { return done(d) && !d.ResolvedAt.IsZero() }

func returnsDocument(d *dossier.Dossier) bool { return all(d) && d.ReturnsDocument }

func resolvedReturnsDocument(d *dossier.Dossier) bool { return resolvedInTime(d) && d.ReturnsDocument }

func online(d *dossier.Dossier) bool       { return d.Channel == dossier.Online }
func hasComponent(d *dossier.Dossier) bool { return d.Components > 0 }
func hasResult(d *dossier.Dossier) bool    { return d.Results > 0 }
func reused(d *dossier.Dossier) bool       { return d.Reused > 0 }
func synced(d *dossier.Dossier) bool       { return !d.SyncedAt.IsZero() }

// legalWhereResult holds where there is no result at all, so that a worklist
// says one thing of a dossier: first the file, then its signature.
func legalWhereResult(d *dossier.Dossier) bool { return d.Results == 0 || d.LegalResults > 0 }

func resultWhereReturned(d *dossier.Dossier) bool { return !d.ReturnsDocument || hasResult(d) }

func personal(d *dossier.Dossier) bool { return !d.PersonalStoreAt.IsZero() || d.PersonalStore > 0 }
