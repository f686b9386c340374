package dossier

import "testing"

func TestProfileFor(t *testing.T) {
	own := Profile{Name: ProfileTT05, ValidFrom: 20250701, MinDPI: 300, RecommendedDPI: 300, ActiveContent: StripActive}
	later := Profile{Name: "own-2027", ValidFrom: 20270101, ActiveContent: RejectActive}
	for _, tt := range []struct {
		day  Date
		own  []Profile
		want string
		dpi  int
	}{
		{20100101, nil, ProfileND30, 200}, // before every rule: the oldest
		{20200305, nil, ProfileND30, 200},
		{20250630, nil, ProfileND30, 200},
		{20250701, nil, ProfileTT05, 200},
		{20250701, []Profile{own}, ProfileTT05, 300},
		{20261231, []Profile{later}, ProfileTT05, 200},
		{20270101, []Profile{later, own}, "own-2027", 0},
	} {
		p := ProfileFor(tt.day, tt.own...)
		if p.Name != tt.want || p.MinDPI != tt.dpi {
			t.Errorf("%v with %d own: %s, %d dpi, want %s, %d dpi", tt.day, len(tt.own), p.Name, p.MinDPI, tt.want, tt.dpi)
		}
	}
	for _, name := range []string{ProfileND30, ProfileTT05, ProfileAny} {
		p, ok := ProfileNamed(name)
		if !ok || p.Name != name {
			t.Errorf("%s: %v, %v", name, p.Name, ok)
		}
		if err := p.Valid(); err != nil {
			t.Error(err)
		}
	}
	if _, ok := ProfileNamed("nobody's"); ok {
		t.Error("a profile that nobody made was found")
	}
}

func TestProfileValid(t *testing.T) {
	good := Profile{Name: "x", MinDPI: 200, RecommendedDPI: 300, Colour: Grey, ActiveContent: StripActive}
	if err := good.Valid(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Profile){
		"no name":               func(p *Profile) { p.Name = "" },
		"negative":              func(p *Profile) { p.MaxPages = -1 },
		"recommends too little": func(p *Profile) { p.RecommendedDPI = 100 },
		"colour":                func(p *Profile) { p.Colour = "red" },
		"no policy":             func(p *Profile) { p.ActiveContent = "" },
	} {
		p := good
		spoil(&p)
		if p.Valid() == nil {
			t.Errorf("%s: taken for valid", name)
		}
	}
}
