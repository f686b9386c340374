package backfill

import (
	"fmt"
	"strings"
	"time"

	"sohoa/dossier"
)

// Hours is a part of every local day in which work is done, past midnight where
// it ends before it begins. The zero Hours is the whole day.
type Hours struct{ from, to time.Duration }

// ParseHours reads 18:00-06:00; empty is the whole day.
func ParseHours(s string) (Hours, error) {
	if s == "" {
		return Hours{}, nil
	}
	bad := fmt.Errorf("not hours of the day: write 18:00-06:00")
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return Hours{}, bad
	}
	from, err1 := time.Parse("15:04", strings.TrimSpace(a))
	to, err2 := time.Parse("15:04", strings.TrimSpace(b))
	if err1 != nil || err2 != nil || from.Equal(to) {
		return Hours{}, bad
	}
	since := func(t time.Time) time.Duration {
		return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	return Hours{since(from), since(to)}, nil
}

// Wait is how long it is from t until the hours begin; 0 within them.
func (h Hours) Wait(t time.Time) time.Duration {
	if h == (Hours{}) {
		return 0
	}
	now := t.Sub(dossier.DateOf(t).Time())
	if h.from < h.to {
		if now >= h.from && now < h.to {
			return 0
		}
	} else if now >= h.from || now < h.to {
		return 0
	}
	if wait := h.from - now; wait > 0 {
		return wait
	}
	return h.from - now + 24*time.Hour
}
