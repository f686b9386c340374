package dossier

import (
	"fmt"
	"time"
)

// Retention is a rule for how long a stored document is kept from being deleted.
// The years are settings: the law differs by kind of paper and changes.
type Retention struct {
	Kind      Kind `yaml:"kind"`      // empty: every kind
	Years     int  `yaml:"years"`     // after the day of reception, or the last day of validity where that is later
	Permanent int  `yaml:"permanent"` // the same for a paper that states no end of its validity; 0: as Years
}

// Valid says what is wrong with a rule.
func (r Retention) Valid() error {
	switch r.Kind {
	case "", Component, ResultKind, ResultInForce:
	default:
		return fmt.Errorf("retention: kind is component, result, result-in-force or absent")
	}
	if r.Years < 1 || r.Years > 200 || r.Permanent < 0 || r.Permanent > 200 {
		return fmt.Errorf("retention: years is 1 to 200, permanent 0 to 200")
	}
	return nil
}

// RetainUntil is when the retention of a document ends by the first rule that is
// for its kind; the zero time where there is none.
func RetainUntil(rules []Retention, s Slip, receivedAt time.Time) time.Time {
	for _, r := range rules {
		if r.Kind != "" && r.Kind != s.Kind {
			continue
		}
		from, years := DateOf(receivedAt).AddDays(1), r.Years
		switch {
		case s.ValidTo == 0 && r.Permanent > 0:
			years = r.Permanent
		case s.ValidTo > from:
			from = s.ValidTo
		}
		return from.Time().AddDate(years, 0, 0)
	}
	return time.Time{}
}
