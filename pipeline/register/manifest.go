package register

import (
	"errors"
	"path"
	"strings"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
)

// Entry is a row of a backfill's manifest: which file is what. Its slip lacks
// only who hands it in and by which door.
type Entry struct {
	File string // slash-separated, below the root; empty where the file is found by number and unit
	Slip dossier.Slip
}

var manifestColumns = []sheet.Column{
	{Name: "file", Optional: true, Also: []string{"tệp", "tên tệp", "tên file", "file name", "filename", "đường dẫn", "đường dẫn tệp"}},
	{Name: "dossier", Optional: true, Also: []string{"mã hồ sơ", "số hồ sơ", "hồ sơ", "dossier_code"}},
	{Name: "kind", Optional: true, Also: []string{"loại", "loại tài liệu", "loại giấy tờ", "phân loại"}},
	{Name: "number", Optional: true, Also: []string{"số", "số ký hiệu", "số hiệu", "số kết quả", "ký hiệu", "số quyết định"}},
	{Name: "unit", Optional: true, Also: []string{"đơn vị", "mã đơn vị", "cơ quan", "mã cơ quan", "đơn vị ban hành"}},
	{Name: "paper", Optional: true, Also: []string{"mã giấy tờ", "mã thành phần", "mã TPHS"}},
	{Name: "name", Optional: true, Also: []string{"tên", "tên giấy tờ", "tên kết quả", "tên tài liệu"}},
	{Name: "issued_on", Optional: true, Also: []string{"ngày ban hành", "ngày cấp", "ngày ký"}},
	{Name: "valid_from", Optional: true, Also: []string{"hiệu lực từ", "từ ngày", "ngày hiệu lực"}},
	{Name: "valid_to", Optional: true, Also: []string{"hiệu lực đến", "đến ngày", "ngày hết hiệu lực", "thời hạn"}},
	{Name: "owner_id", Optional: true, Also: []string{"số định danh", "CCCD", "số CCCD", "CMND", "số CMND", "mã số doanh nghiệp", "mã số thuế"}},
	{Name: "abstract", Optional: true, Also: []string{"trích yếu", "trích yếu nội dung", "nội dung"}},
	{Name: "issued_by", Optional: true, Also: []string{"cơ quan cấp", "nơi cấp", "cơ quan ban hành"}},
	{Name: "signed_by", Optional: true, Also: []string{"người ký"}},
	{Name: "scope", Optional: true, Also: []string{"phạm vi", "phạm vi hiệu lực"}},
	// A register of results can be a manifest: what it says beyond is known to
	// the ledger already.
	{Name: "authority_level", Optional: true, Also: []string{"cấp thẩm quyền"}},
	{Name: "revoked", Optional: true, Also: []string{"thu hồi", "đã thu hồi"}},
}

// ReadManifest reads manifest.csv. matched says that a row need not name its
// file, because it is found by a pattern.
func ReadManifest(s *sheet.Sheet, m sheet.Mapping, matched bool) (Lines[Entry], []*dossier.RowError, error) {
	lines, unknown, err := read(s, m, manifestColumns, func(c *cells) Entry { return parseEntry(c, matched) })
	if err != nil {
		return nil, nil, err
	}
	missing := func(column, vi, en string) error {
		return &dossier.RowError{File: s.Name(), Row: s.HeaderRow(), Column: column, Reason: dossier.Text{VI: vi, EN: en}}
	}
	var bad []error
	if !matched && !s.Has("file") {
		bad = append(bad, missing("file", "Thiếu cột file. Dòng tiêu đề phải có cột này.", "Column file is missing. The header must have it."))
	}
	if !s.Has("dossier") && !(s.Has("number") && s.Has("unit")) {
		bad = append(bad, missing("dossier", "Thiếu cột dossier, hoặc hai cột number và unit.", "Column dossier is missing, or the columns number and unit."))
	}
	if len(bad) > 0 {
		return nil, nil, errors.Join(bad...)
	}
	return lines, unknown, nil
}

var kinds = map[string]dossier.Kind{
	"component": dossier.Component, "thanhphan": dossier.Component, "thanhphanhoso": dossier.Component, "tphs": dossier.Component,
	"result": dossier.ResultKind, "ketqua": dossier.ResultKind, "ketquagiaiquyet": dossier.ResultKind,
	"resultinforce": dossier.ResultInForce, "ketquaconhieuluc": dossier.ResultInForce,
}

func parseEntry(c *cells, matched bool) Entry {
	e := Entry{File: c.path("file", matched)}
	s := &e.Slip
	if c.row.Get("dossier") != "" {
		s.Dossier = c.code("dossier")
		s.Kind = word(c, "kind", kinds, true, "Không phải loại: component hoặc result.", "Not a kind: component or result.")
		if s.Kind == dossier.ResultInForce {
			c.refuse("kind", "Kết quả còn hiệu lực không kèm mã hồ sơ; hãy bỏ mã hồ sơ hoặc ghi result.",
				"A result in force has no dossier: leave the dossier out, or write result.")
		}
		s.Number = c.text("number", 200)
		s.Unit = c.unit("unit", false)
	} else {
		if c.row.Get("number") == "" && c.row.Get("unit") == "" {
			c.refuse("dossier", "Cần mã hồ sơ, hoặc số ký hiệu và đơn vị.", "A dossier code is needed, or number and unit.")
		} else {
			s.Number = c.needed("number", 200)
			s.Unit = c.unit("unit", true)
		}
		s.Kind = dossier.ResultInForce
		if c.row.Get("kind") != "" && word(c, "kind", kinds, true, "Không phải loại: component hoặc result.", "Not a kind: component or result.") == dossier.Component {
			c.refuse("kind", "Thành phần hồ sơ phải có mã hồ sơ.", "A component needs a dossier code.")
		}
	}
	if p, err := dossier.ParsePaperCode(c.row.Get("paper")); err != nil {
		c.refuse("paper", "Không phải mã giấy tờ: chỉ gồm chữ, số và . _ / -", "Not a paper code: letters, digits and . _ / - only.")
	} else {
		s.Paper = p
	}
	s.Name = c.text("name", 2000)
	s.IssuedOn = c.date("issued_on")
	s.ValidFrom = c.date("valid_from")
	s.ValidTo = c.date("valid_to")
	c.ordered(s.ValidFrom, s.ValidTo)
	s.OwnerID = c.owner("owner_id")
	s.Abstract = c.text("abstract", 4000)
	s.IssuedBy = c.text("issued_by", 500)
	s.SignedBy = c.text("signed_by", 200)
	s.Scope = c.text("scope", 500)
	if e.File != "" {
		s.FileName = path.Base(e.File)
	}
	return e
}

// path is a path below the root, with either kind of slash.
func (c *cells) path(column string, matched bool) string {
	v := strings.ReplaceAll(c.row.Get(column), `\`, "/")
	if v == "" {
		if !matched {
			c.needed(column, 1000)
		}
		return ""
	}
	if v = path.Clean(v); len(v) > 1000 || strings.HasPrefix(v, "/") || v == ".." || strings.HasPrefix(v, "../") || v == "." || len(v) > 1 && v[1] == ':' {
		c.refuse(column, "Đường dẫn phải nằm trong thư mục gốc (--root): không bắt đầu bằng / hay ổ đĩa, không đi ra ngoài bằng ...",
			"The path must lie below the root (--root): no leading slash or drive, no way out by ...")
		return ""
	}
	return v
}

// owner is an owner's id: a citizen's (12 digits, 9 on old cards) or an
// enterprise's (10 or 13 digits). It is never repeated.
func (c *cells) owner(column string) string {
	v := strings.NewReplacer(" ", "", "-", "", ".", "").Replace(c.row.Get(column))
	if v == "" {
		return ""
	}
	digits := strings.Trim(v, "0123456789") == ""
	switch len(v) {
	case 9, 10, 12, 13:
	default:
		digits = false
	}
	if !digits {
		c.refuse(column, "Không phải số định danh: 12 chữ số (cá nhân), 10 hoặc 13 chữ số (doanh nghiệp). Nếu bảng tính làm mất số 0 ở đầu, hãy định dạng cột là văn bản.",
			"Not an owner's id: 12 digits (citizen), 10 or 13 (enterprise). If the sheet dropped a leading zero, format the column as text.")
		return ""
	}
	return v
}
