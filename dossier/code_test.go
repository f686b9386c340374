package dossier

import (
	"slices"
	"testing"
)

func TestFindCodes(t *testing.T) {
	for text, want := range map[string][]Code{
		"h51.10-240830-0001": {"H51.10-240830-0001"},
		"https://dichvucong.example/tra-cuu?ma=H51.10-240830-0001&x=1": {"H51.10-240830-0001"},
		"Nguyễn A|000.00.04.H51-240830-00012|30/08/2024":               {"000.00.04.H51-240830-00012"},
		"H51-240830-0001 H51-240830-0001 H51-240831-0002":              {"H51-240830-0001", "H51-240831-0002"},
		"H51-241301-0001": nil, // no such month
		"012345678901|Nguyễn Văn A|01011990|Nam|Xã Đại Ân 2|01012022": nil,
		"": nil,
	} {
		if got := FindCodes(text); !slices.Equal(got, want) {
			t.Errorf("FindCodes(%q) = %q, want %q", text, got, want)
		}
	}
}
