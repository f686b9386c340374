package tally_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sohoa/tally"
)

func TestFormatRate(t *testing.T) {
	for _, tt := range []struct {
		num, den int64
		vi       string
	}{
		{0, 0, "—"}, {5, 0, "—"}, {0, 7, "0,00"}, {7, 7, "100,00"}, {4876, 10000, "48,76"},
		{1, 3, "33,33"}, {2, 3, "66,67"}, {1, 8, "12,50"},
		{1, 20000, "0,01"},         // 0.005 % up
		{4999, 100000000, "0,00"},  // 0.004999 %
		{9999, 10000, "99,99"},     //
		{19999, 20000, "100,00"},   // 99.995 % up: the figure shown may be 100 while one is missing
		{99994, 100000, "99,99"},   //
		{48755, 100000, "48,76"},   // 48.755 up
		{487549, 1000000, "48,75"}, //
		{1 << 62, 1<<63 - 1, "50,00"},
	} {
		if got := tally.FormatRate(tt.num, tt.den, "vi"); got != tt.vi {
			t.Errorf("%d/%d = %s, want %s", tt.num, tt.den, got, tt.vi)
		}
		if got, want := tally.FormatRate(tt.num, tt.den, "en"), strings.ReplaceAll(tt.vi, ",", "."); got != want {
			t.Errorf("%d/%d = %s, want %s", tt.num, tt.den, got, want)
		}
	}
}

// TestRateAgainstBig: for all shares the figure is the exact quotient rounded
// half up, and the gap is the smallest number that reaches the target.
func TestRateAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		den := rapid.OneOf(rapid.Int64Range(1, 50), rapid.Int64Range(1, 1<<40), rapid.Int64Range(1, 1<<63-1)).Draw(t, "den")
		num := rapid.Int64Range(0, den).Draw(t, "num")
		x := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(num), big.NewInt(10000)), big.NewInt(den))
		x.Add(x, big.NewRat(1, 2))
		floor := new(big.Int).Quo(x.Num(), x.Denom())
		want := fmt.Sprintf("%d.%02d", new(big.Int).Quo(floor, big.NewInt(100)), new(big.Int).Mod(floor, big.NewInt(100)))
		if got := tally.FormatRate(num, den, "en"); got != want {
			t.Fatalf("%d/%d = %s, want %s", num, den, got, want)
		}
		target := tally.Percent(rapid.Int64Range(0, 10000).Draw(t, "target"))
		gap := tally.Rate{Numerator: num, Denominator: den}.Gap(target)
		reaches := func(n int64) bool {
			return new(big.Int).Mul(big.NewInt(n), big.NewInt(10000)).Cmp(new(big.Int).Mul(big.NewInt(int64(target)), big.NewInt(den))) >= 0
		}
		if gap < 0 || num+gap > den || !reaches(num+gap) || gap > 0 && reaches(num+gap-1) {
			t.Fatalf("gap of %d/%d to %d is %d", num, den, target, gap)
		}
		if met, ok := (tally.Rate{Numerator: num, Denominator: den}).Meets(target); !ok || met != (gap == 0) {
			t.Fatalf("meets: %v %v, gap %d", met, ok, gap)
		}
	})
}

func TestParsePercent(t *testing.T) {
	for s, want := range map[string]tally.Percent{"80": 8000, "80,5": 8050, "80.05 %": 8005, "100%": 10000, " 0 ": 0, "62,50": 6250} {
		if got, err := tally.ParsePercent(s); err != nil || got != want {
			t.Errorf("%q: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "%", "-1", "100,01", "101", "5,", "1,234", "+5", "1.2.3", ",5", "abc", "1e2"} {
		if got, err := tally.ParsePercent(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
}

// TestPercentRoundTrip: what is written is read again, in both languages and
// both lengths.
func TestPercentRoundTrip(t *testing.T) {
	for p := tally.Percent(0); p <= 10000; p++ {
		for _, s := range []string{p.Format("vi"), p.Format("en"), p.Short("vi"), p.Short("en") + " %"} {
			if got, err := tally.ParsePercent(s); err != nil || got != p {
				t.Fatalf("%d is written %q and read %d (%v)", p, s, got, err)
			}
		}
	}
}
