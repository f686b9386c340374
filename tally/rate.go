package tally

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// NoRate stands where a denominator is zero: no percentage, neither 0 nor 100.
const NoRate = "—"

// Percent is a percentage in hundredths of a percent: 48,76 % is 4876.
type Percent int64

// ParsePercent reads 80, 80.5, 80,55 or 80 %.
func ParsePercent(s string) (Percent, error) {
	bad := fmt.Errorf("%q is not a percentage from 0 to 100 with at most two decimals", s)
	t := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), "%"))
	whole, frac, dotted := strings.Cut(strings.Replace(t, ",", ".", 1), ".")
	if dotted && (frac == "" || len(frac) > 2) {
		return 0, bad
	}
	frac += "00"[:2-len(frac)]
	if len(whole) == 0 || len(whole) > 3 {
		return 0, bad
	}
	n, err := strconv.ParseUint(whole+frac, 10, 32)
	if err != nil || n > 10000 {
		return 0, bad
	}
	return Percent(n), nil
}

// Format writes two decimals, with a comma in Vietnamese and a point in any
// other language, without a sign.
func (p Percent) Format(lang string) string {
	sign := ""
	if p < 0 {
		sign, p = "-", -p
	}
	point := "."
	if lang == "vi" {
		point = ","
	}
	return fmt.Sprintf("%s%d%s%02d", sign, p/100, point, p%100)
}

// Short writes as many decimals as it needs: 80, 62,5.
func (p Percent) Short(lang string) string {
	s := p.Format(lang)
	return strings.TrimRight(strings.TrimRight(s, "0"), ",.")
}

// Rate is a share: how many of how many.
type Rate struct{ Numerator, Denominator int64 }

// Percent returns the rate to two decimals, rounded half up by exact integer
// arithmetic; ok is false where the denominator is not above zero: there is no
// rate then.
func (r Rate) Percent() (p Percent, ok bool) {
	if r.Denominator <= 0 {
		return 0, false
	}
	n, sign := r.Numerator, Percent(1)
	if n < 0 {
		n, sign = -n, -1
	}
	// floor((n·20000 + d) / 2d) is n·10000/d rounded half up.
	hi, lo := bits.Mul64(uint64(n), 20000)
	lo, carry := bits.Add64(lo, uint64(r.Denominator), 0)
	hi += carry
	d := 2 * uint64(r.Denominator)
	if hi >= d { // more than 2^64 hundredths: not a share of anything
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, d)
	if q > 1<<62 {
		return 0, false
	}
	return sign * Percent(q), true
}

// Meets reports whether the rate reaches the target, compared exactly and not
// after rounding. Without a denominator nothing is reached or missed.
func (r Rate) Meets(t Percent) (met, ok bool) {
	if r.Denominator <= 0 {
		return false, false
	}
	return r.Gap(t) == 0, true
}

// Gap is how many of the dossiers that are missing would have to be counted for
// the rate to reach the target: the smallest such number; 0 when it is reached.
func (r Rate) Gap(t Percent) int64 {
	if r.Denominator <= 0 || t <= 0 {
		return 0
	}
	// ceil(t·d / 10000) are needed.
	hi, lo := bits.Mul64(uint64(min(t, 10000)), uint64(r.Denominator))
	need, rest := bits.Div64(hi, lo, 10000)
	if rest != 0 {
		need++
	}
	return max(0, int64(need)-r.Numerator)
}

// FormatRate writes num/den as a percentage with two decimals, half up, without
// a sign: "48,76" in Vietnamese, "48.76" in any other language, "—" where den
// is zero.
func FormatRate(num, den int64, lang string) string {
	p, ok := Rate{num, den}.Percent()
	if !ok {
		return NoRate
	}
	return p.Format(lang)
}
