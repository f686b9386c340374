package register

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline/sheet"
)

func parseUnit(c *cells) dossier.Unit {
	u := dossier.Unit{
		Code:      c.unit("code", true),
		Name:      c.needed("name", 500),
		Level:     c.level("level"),
		Parent:    c.unit("parent", false),
		ValidFrom: c.date("valid_from"),
		ValidTo:   c.date("valid_to"),
		Successor: c.unit("successor", false),
	}
	if u.Code != "" && u.Parent == u.Code {
		c.refuse("parent", "Đơn vị không thể là cấp trên của chính nó.", "A unit cannot be its own parent.")
	}
	if u.Code != "" && u.Successor == u.Code {
		c.refuse("successor", "Đơn vị không thể kế thừa chính nó.", "A unit cannot be its own successor.")
	}
	c.ordered(u.ValidFrom, u.ValidTo)
	return u
}

func parseProcedure(c *cells) dossier.Procedure {
	return dossier.Procedure{Code: c.procedure("code"), Name: c.needed("name", 2000), ReturnsDocument: c.flag("returns_document", true)}
}

func parseDossier(c *cells) dossier.Registered {
	d := dossier.Registered{
		Code:      c.code("code"),
		Unit:      c.unit("unit", true),
		Procedure: c.procedure("procedure"),
		Channel: word(c, "channel", channels, false,
			"Không phải kênh: 1 trực tiếp, 2 trực tuyến, 3 bưu chính.", "Not a channel: 1 direct, 2 online, 3 postal."),
		ReceivedAt: c.instant("received_at"),
		Status: word(c, "status", statuses, true,
			"Không phải trạng thái: received, resolved, returned, withdrawn, rejected hoặc cancelled.",
			"Not a status: received, resolved, returned, withdrawn, rejected or cancelled."),
		ResolvedAt:      c.instant("resolved_at"),
		SyncedAt:        c.instant("synced_at"),
		PersonalStoreAt: c.instant("personal_store_at"),
	}
	// Days, not instants: many registers know the time of one and not of the other.
	if r := dossier.DateOf(d.ResolvedAt); r != 0 && r < dossier.DateOf(d.ReceivedAt) {
		c.refuse("resolved_at", "Ngày giải quyết trước ngày tiếp nhận.", "The dossier was resolved before it was received.")
	}
	return d
}

func parseResult(c *cells) dossier.Result {
	r := dossier.Result{
		Number:         c.needed("number", 200),
		Unit:           c.unit("unit", true),
		AuthorityLevel: c.authority("authority_level"),
		IssuedOn:       c.date("issued_on"),
		ValidFrom:      c.date("valid_from"),
		ValidTo:        c.date("valid_to"),
		Revoked:        c.flag("revoked", false),
		Name:           c.text("name", 2000),
	}
	c.ordered(r.ValidFrom, r.ValidTo)
	return r
}

func parseIndicator(c *cells) dossier.IndicatorValue {
	v := dossier.IndicatorValue{Period: c.period("period"), Value: c.needed("value", 500)}
	switch s := c.needed("row", 10); s {
	case "":
	case "1", "2", "6", "8", "10", "11":
		v.Row, _ = strconv.Atoi(s) // one of the above
	default:
		c.refuse("row", "Dòng phải là 1, 2, 6, 8, 10 hoặc 11; các dòng khác do hệ thống tính.",
			"The row must be 1, 2, 6, 8, 10 or 11; the others are computed.")
	}
	return v
}

func parsePortal(c *cells) dossier.PortalFigure {
	f := dossier.PortalFigure{
		Period: c.period("period"),
		Unit:   c.unit("unit", true),
		Indicator: word(c, "indicator", portalIndicators, true,
			"Không phải chỉ số: 3, 4.1, 4.2, 4.3, 4.4 hoặc 9.", "Not an indicator: 3, 4.1, 4.2, 4.3, 4.4 or 9."),
		Numerator:   c.count("numerator"),
		Denominator: c.count("denominator"),
	}
	if f.Numerator > f.Denominator {
		c.refuse("numerator", "Tử số lớn hơn mẫu số.", "The numerator is greater than the denominator.")
	}
	return f
}

var (
	levels = map[string]dossier.Level{
		"province": dossier.Province, "tinh": dossier.Province, "captinh": dossier.Province,
		"department": dossier.Department, "so": dossier.Department, "songanh": dossier.Department, "capso": dossier.Department,
		"district": dossier.District, "huyen": dossier.District, "caphuyen": dossier.District,
		"commune": dossier.Commune, "xa": dossier.Commune, "capxa": dossier.Commune,
	}
	authorities = map[string]dossier.Level{
		"province": dossier.Province, "tinh": dossier.Province, "captinh": dossier.Province,
		"district": dossier.District, "huyen": dossier.District, "caphuyen": dossier.District,
		"commune": dossier.Commune, "xa": dossier.Commune, "capxa": dossier.Commune,
	}
	channels = map[string]dossier.Channel{
		"": dossier.Direct, "1": dossier.Direct, "tructiep": dossier.Direct, "direct": dossier.Direct,
		"2": dossier.Online, "tructuyen": dossier.Online, "online": dossier.Online,
		"3": dossier.Postal, "buuchinh": dossier.Postal, "buuchinhcongich": dossier.Postal, "quabuuchinh": dossier.Postal, "postal": dossier.Postal,
	}
	statuses = map[string]dossier.Status{
		"received": dossier.Received, "datiepnhan": dossier.Received, "moitiepnhan": dossier.Received, "dangxuly": dossier.Received, "danggiaiquyet": dossier.Received,
		"resolved": dossier.Resolved, "dagiaiquyet": dossier.Resolved, "dagiaiquyetxong": dossier.Resolved, "coketqua": dossier.Resolved, "dacoketqua": dossier.Resolved,
		"returned": dossier.Returned, "datraketqua": dossier.Returned,
		"withdrawn": dossier.Withdrawn, "ruthoso": dossier.Withdrawn, "darut": dossier.Withdrawn, "congdanrut": dossier.Withdrawn,
		"rejected": dossier.Rejected, "tuchoi": dossier.Rejected, "tuchoigiaiquyet": dossier.Rejected,
		"cancelled": dossier.Cancelled, "dahuy": dossier.Cancelled, "huy": dossier.Cancelled, "huyhoso": dossier.Cancelled,
	}
	flags = map[string]bool{
		"1": true, "true": true, "yes": true, "co": true, "x": true, "dung": true,
		"0": false, "false": false, "no": false, "khong": false, "sai": false,
	}
	portalIndicators = map[string]string{"3": "3", "4.1": "4.1", "4.2": "4.2", "4.3": "4.3", "4.4": "4.4", "9": "9"}
)

func (c *cells) level(column string) dossier.Level {
	return word(c, column, levels, true, "Không phải cấp đơn vị: province, department, district hoặc commune.",
		"Not a level: province, department, district or commune.")
}

func (c *cells) authority(column string) dossier.Level {
	return word(c, column, authorities, true, "Không phải cấp thẩm quyền: province, district hoặc commune.",
		"Not an authority level: province, district or commune.")
}

// flag reads 0 or 1; an empty cell is 0 unless a value is needed.
func (c *cells) flag(column string, must bool) bool {
	if !must && c.row.Get(column) == "" {
		return false
	}
	return word(c, column, flags, true, "Giá trị phải là 0 hoặc 1.", "The value must be 0 or 1.")
}

func (c *cells) count(column string) int64 {
	v := c.needed(column, 30)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || n > 1e12 {
		c.refuse(column, "Không phải số đếm: viết số nguyên không dấu phân cách, ví dụ 12345.", "Not a count: write a whole number without separators, such as 12345.")
		return 0
	}
	return n
}

func (c *cells) period(column string) string {
	v := c.needed(column, 20)
	if v == "" {
		return ""
	}
	// A spreadsheet makes a day of 2024-08, and people write 08/2024.
	if d, err := dossier.ParseDate(v); err == nil && d.Day() == 1 {
		v = v[:7]
	} else if t, err := time.Parse("1/2006", v); err == nil {
		v = t.Format("2006-01")
	}
	if _, err := dossier.ParsePeriod(v); err != nil {
		c.refuse(column, "Không phải kỳ: viết 2024-08, 2024-Q3 hoặc 2024.", "Not a period: write 2024-08, 2024-Q3 or 2024.")
		return ""
	}
	return strings.ToUpper(v)
}

func (c *cells) ordered(from, to dossier.Date) {
	if from != 0 && to != 0 && to <= from {
		c.refuse("valid_to", "Ngày kết thúc không sau ngày bắt đầu.", "The end is not after the beginning.")
	}
}

func (c *cells) date(column string) dossier.Date { return dossier.DateOf(c.instant(column)) }

// instant reads 2006-01-02, RFC 3339, a spreadsheet's date, and days as people
// here write them, day first: 30/08/2024.
func (c *cells) instant(column string) time.Time {
	v := c.row.Get(column)
	if v == "" {
		return time.Time{}
	}
	slashed := strings.Contains(v, "/")
	if slashed && !c.monthFirst[column] {
		c.monthFirst[column] = monthBeforeDay(v)
	}
	if slashed && c.monthFirst[column] {
		c.refuse(column, "Cột này viết tháng trước ngày (kiểu Mỹ) nên không chắc chắn. Hãy định dạng cột là 2024-08-30 rồi lưu lại.",
			"The column has months before days (American), which is not safe to read. Format it as 2024-08-30 and save again.")
		return time.Time{}
	}
	t, err := ParseInstant(v)
	if err == nil && (t.Year() < 1900 || t.Year() > 2199) {
		err = fmt.Errorf("a year out of range")
	}
	if err != nil {
		c.refuse(column, "Không phải ngày giờ hợp lệ: viết 2024-08-30, 30/08/2024 hoặc dạng RFC 3339 (2024-08-30T09:15:00+07:00).",
			"Not a valid date or time: write 2024-08-30, 30/08/2024 or RFC 3339 (2024-08-30T09:15:00+07:00).")
		return time.Time{}
	}
	return t
}

// monthBeforeDay: 8/30/2024, which can be nothing else.
func monthBeforeDay(v string) bool {
	day, _, _ := strings.Cut(v, " ")
	if _, err := time.Parse("2/1/2006", day); err == nil {
		return false
	}
	_, err := time.Parse("1/2/2006", day)
	return err == nil
}

// ParseInstant reads a day or a time as register files have them.
func ParseInstant(v string) (time.Time, error) {
	if t, err := dossier.ParseTime(v); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2/1/2006", "2/1/2006 15:04:05", "2/1/2006 15:04", "15:04:05 2/1/2006", "15:04 2/1/2006", "2-1-2006", "2.1.2006"} {
		if t, err := time.ParseInLocation(layout, v, dossier.Zone); err == nil {
			return t, nil
		}
	}
	if len(v) >= 5 { // day numbers from 1927 on; shorter ones are years and typing errors
		if s, ok := sheet.SerialDate(v); ok {
			return dossier.ParseTime(s)
		}
	}
	return time.Time{}, fmt.Errorf("not a day or a time")
}
