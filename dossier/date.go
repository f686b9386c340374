package dossier

import (
	"fmt"
	"time"
)

// Zone is the zone of every day and period (Asia/Ho_Chi_Minh). Viet Nam has
// kept UTC+7 without daylight saving since 1975, so a fixed offset is exact and
// needs no zone database on the machine.
var Zone = time.FixedZone("Asia/Ho_Chi_Minh", 7*60*60)

// Date is a local calendar day as the number yyyymmdd (20240830), so that it
// sorts, compares and groups by month without arithmetic. The zero Date is "no
// date" and is never a real day.
type Date int32

// DateOf returns the local day in which the instant t falls. The first second
// of a day belongs to it. The zero time has no day.
func DateOf(t time.Time) Date {
	if t.IsZero() {
		return 0
	}
	y, m, d := t.In(Zone).Date()
	return Date(y*10000 + int(m)*100 + d)
}

// ParseDate reads a day written 2006-01-02.
func ParseDate(s string) (Date, error) {
	t, err := time.ParseInLocation(time.DateOnly, s, Zone)
	if err != nil || t.Year() < 1 {
		return 0, fmt.Errorf("%q is not a day written yyyy-mm-dd", s)
	}
	return DateOf(t), nil
}

// ParseTime reads an instant: RFC 3339 with its own offset, or a bare day or
// "2006-01-02 15:04:05" / "2006-01-02T15:04:05" in Zone.
func ParseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, Zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date (yyyy-mm-dd) or a time (RFC 3339)", s)
}

// Time returns the first instant of the day in Zone; the zero time for no date.
func (d Date) Time() time.Time {
	if d == 0 {
		return time.Time{}
	}
	return time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, Zone)
}

func (d Date) Year() int         { return int(d) / 10000 }
func (d Date) Month() time.Month { return time.Month(int(d) / 100 % 100) }
func (d Date) Day() int          { return int(d) % 100 }

// AddDays returns the day n days later (earlier when n is negative).
func (d Date) AddDays(n int) Date { return DateOf(d.Time().AddDate(0, 0, n)) }

// String is the day as 2006-01-02, or "" for no date.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year(), int(d.Month()), d.Day())
}

// Local is the day as people here write it: 30/08/2024.
func (d Date) Local() string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%02d/%02d/%04d", d.Day(), int(d.Month()), d.Year())
}

// MarshalText writes 2006-01-02; no date is the empty string.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = 0
		return nil
	}
	v, err := ParseDate(string(b))
	*d = v
	return err
}

// Period is a half-open range of local days: From belongs to it, To does not. A
// zero bound is open on that side.
type Period struct{ From, To Date }

// Contains reports whether the day d lies in the period. No date lies in none.
func (p Period) Contains(d Date) bool {
	return d != 0 && (p.From == 0 || d >= p.From) && (p.To == 0 || d < p.To)
}

// ParsePeriod reads 2024, 2024-08 or 2024-Q3.
func ParsePeriod(s string) (Period, error) {
	bad := fmt.Errorf("%q is not a period: write 2024, 2024-08 or 2024-Q3", s)
	var y, n int
	switch {
	case len(s) == 4:
		if _, err := fmt.Sscanf(s, "%4d", &y); err != nil || y < 1000 {
			return Period{}, bad
		}
		return months(y, 1, 12), nil
	case len(s) == 7 && (s[5] == 'Q' || s[5] == 'q'):
		if _, err := fmt.Sscanf(s[:4]+" "+s[6:], "%4d %1d", &y, &n); err != nil || y < 1000 || n < 1 || n > 4 {
			return Period{}, bad
		}
		return months(y, 3*n-2, 3), nil
	case len(s) == 7 && s[4] == '-':
		t, err := time.ParseInLocation("2006-01", s, Zone)
		if err != nil {
			return Period{}, bad
		}
		return months(t.Year(), int(t.Month()), 1), nil
	}
	return Period{}, bad
}

func months(y, m, n int) Period {
	from := time.Date(y, time.Month(m), 1, 0, 0, 0, 0, Zone)
	return Period{DateOf(from), DateOf(from.AddDate(0, n, 0))}
}
