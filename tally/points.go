package tally

import "math/big"

// FullAt is the rate from which 4.2 and 4.3 earn all their points.
const FullAt Percent = 8000

// Points returns what a rate earns of max, both in hundredths of a point: all of
// it at full or more, below that in proportion (rate × max / full), rounded half
// up from the exact rate. Without a rate there are no points to speak of.
func Points(r Rate, full Percent, max int64) (int64, bool) {
	if r.Denominator <= 0 || full <= 0 || max < 0 || r.Numerator < 0 {
		return 0, false
	}
	if met, _ := r.Meets(full); met {
		return max, true
	}
	x := new(big.Int).Mul(big.NewInt(r.Numerator), big.NewInt(10000))
	x.Mul(x, big.NewInt(max))
	d := new(big.Int).Mul(big.NewInt(r.Denominator), big.NewInt(int64(full)))
	x.Mul(x, big.NewInt(2)).Add(x, d)
	return x.Quo(x, d.Mul(d, big.NewInt(2))).Int64(), true
}
