package dossier

import "testing"

func TestHeld(t *testing.T) {
	hold := func(outcome string) Event { return Event{Type: EventPolicy, Outcome: outcome} }
	on, off, other := hold(OutcomeHeld), hold(OutcomeFreed), Event{Type: EventRevocation, Outcome: OutcomeSuccess}
	for name, c := range map[string]struct {
		life []Event
		want bool
	}{
		"nothing happened":   {nil, false},
		"something else":     {[]Event{other}, false},
		"placed":             {[]Event{on}, true},
		"placed, then other": {[]Event{on, other}, true},
		"lifted":             {[]Event{on, off}, false},
		"placed again":       {[]Event{on, off, other, on}, true},
	} {
		if got := Held(c.life); got != c.want {
			t.Errorf("%s: held %v", name, got)
		}
	}
}
