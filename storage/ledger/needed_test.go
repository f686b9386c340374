package ledger

import (
	"slices"
	"testing"

	"sohoa/tally"
)

func TestNeededFacts(t *testing.T) {
	for _, c := range []struct {
		id, version string
		want        []string
	}{
		{"3", tally.V2022, nil},
		{"4.1", tally.V2022, []string{"results", "legal_results"}},
		{"4.2", tally.V2022, []string{"components"}}, // a result only where the procedure returns one
		{"4.2", tally.V2026, []string{"components"}},
		{"4.3", tally.V2022, []string{"reused"}},
		{"4.4", tally.V2022, nil}, // by its register, too
		{"9", tally.V2022, nil},
	} {
		i, ok := tally.Find(c.id, c.version)
		if !ok {
			t.Fatal(c.id)
		}
		if got := neededFacts(i); !slices.Equal(got, c.want) {
			t.Errorf("%s@%s needs %v, want %v", c.id, c.version, got, c.want)
		}
	}
}
