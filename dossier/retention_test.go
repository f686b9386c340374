package dossier

import (
	"testing"
	"time"
)

func TestRetainUntil(t *testing.T) {
	rules := []Retention{{Kind: Component, Years: 5}, {Kind: ResultKind, Years: 10, Permanent: 70}, {Years: 20}}
	received := time.Date(2024, 8, 30, 23, 30, 0, 0, Zone)
	for name, c := range map[string]struct {
		rules []Retention
		slip  Slip
		want  Date
	}{
		"from the day of reception":       {rules, Slip{Kind: Component}, 20290831},
		"from the end of validity":        {rules, Slip{Kind: Component, ValidTo: 20260101}, 20310101},
		"validity ended before":           {rules, Slip{Kind: Component, ValidTo: 20200101}, 20290831},
		"permanent":                       {rules, Slip{Kind: ResultKind}, 20940831},
		"a rule of its own for permanent": {rules, Slip{Kind: ResultKind, ValidTo: 20250101}, 20350101},
		"the rule for every kind":         {rules, Slip{Kind: ResultInForce}, 20440831},
		"no rule":                         {rules[:1], Slip{Kind: ResultKind}, 0},
		"none at all":                     {nil, Slip{Kind: ResultKind}, 0},
	} {
		got := RetainUntil(c.rules, c.slip, received)
		if c.want == 0 && got.IsZero() {
			continue
		}
		if !got.Equal(c.want.Time()) {
			t.Errorf("%s: until %v, want %v", name, got, c.want)
		}
	}
	for _, bad := range []Retention{{}, {Kind: "letter", Years: 1}, {Years: 201}, {Years: 1, Permanent: -1}} {
		if bad.Valid() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
	for _, good := range rules {
		if err := good.Valid(); err != nil {
			t.Error(err)
		}
	}
}
