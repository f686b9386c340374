package hotfolder

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"sohoa/dossier"
)

// pages is a Pile of text: a page is what lies between form feeds, and a page
// that begins with QR is a receipt.
type pages struct{}

func (pages) read(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	return strings.Split(string(b), "\f"), err
}

func (p pages) Pages(_ context.Context, path string) (int, error) {
	all, err := p.read(path)
	return len(all), err
}

func (p pages) Code(_ context.Context, path string, page int) (dossier.Code, bool, error) {
	all, err := p.read(path)
	if err != nil {
		return "", false, err
	}
	code, ok := strings.CutPrefix(all[page-1], "QR ")
	return dossier.Code(code), ok, nil
}

func (p pages) Extract(_ context.Context, path string, first, last int, out string) error {
	all, err := p.read(path)
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(strings.Join(all[first-1:last], "\f")), 0o666)
}

func (p pages) Find(ctx context.Context, path string) (dossier.Code, bool, error) {
	return p.Code(ctx, path, 1)
}

func TestPile(t *testing.T) {
	for _, c := range []struct {
		name, pile string
		keep       bool
		taken      []string // dossier: bytes
		ends       string
	}{
		{"two, receipts dropped", "QR H51-240830-0001\fa\fb\fQR H51-240830-0002\fc", false, []string{"H51-240830-0001: a\fb", "H51-240830-0002: c"}, Done},
		{"two, receipts kept", "QR H51-240830-0001\fa\fQR H51-240830-0002\fc", true, []string{"H51-240830-0001: QR H51-240830-0001\fa", "H51-240830-0002: QR H51-240830-0002\fc"}, Done},
		{"receipt of two pages", "QR H51-240830-0001\fQR H51-240830-0001\fa\fQR H51-240830-0002\fQR H51-240830-0003\fd", false, []string{"H51-240830-0001: a", "H51-240830-0003: d"}, Done},
		{"the same again within", "QR H51-240830-0001\fa\fQR H51-240830-0001\fb", false, []string{"H51-240830-0001: QR H51-240830-0001\fa\fQR H51-240830-0001\fb"}, Done},
		{"one part bad", "QR H51-240830-0001\fa\fQR H51-240830-0002\fbad", false, []string{"H51-240830-0001: a", "H51-240830-0002: bad"}, Refused},
		{"one part nobody's", "QR H51-240830-0001\fa\fQR H99-240830-0002\fb", false, []string{"H51-240830-0001: a"}, TrayName},
		{"no receipt on top", "x\fQR H51-240830-0001\fa", false, nil, TrayName},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			p.Folder.Pile, p.Folder.Finder, p.Folder.Receipts = pages{}, pages{}, c.keep
			p.write("pile.pdf", c.pile)
			p.settle()
			var got []string
			for key, slip := range p.d.taken {
				body := key[strings.Index(key, "component")+len("component")+2:]
				got = append(got, string(slip.Dossier)+": "+body)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.taken) {
				t.Errorf("got %q, want %q", got, c.taken)
			}
			want := []string{c.ends + "/pile.pdf"}
			if c.ends == Refused {
				want = append(want, c.ends+"/pile.pdf.txt")
				if b, err := os.ReadFile(p.dir + "/rejected/pile.pdf.txt"); err != nil || !strings.Contains(string(b), "Phần 2 (trang 4–4): ") {
					t.Errorf("%s %v", b, err)
				}
			}
			p.want(want...)
		})
	}
}
