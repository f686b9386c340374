package hotfolder

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
)

// texts is a Pile of text: a page is what lies between form feeds, and a page
// that begins with QR is a receipt.
type texts struct{}

func (texts) Open(_ context.Context, path string) (Pages, error) {
	b, err := os.ReadFile(path)
	return textPages(strings.Split(string(b), "\f")), err
}

func (x texts) Find(ctx context.Context, path string) (dossier.Code, bool, error) {
	p, err := x.Open(ctx, path)
	if err != nil {
		return "", false, err
	}
	return p.Code(ctx, 1)
}

type textPages []string

func (p textPages) Count(context.Context) (int, error) { return len(p), nil }

func (p textPages) Code(_ context.Context, page int) (dossier.Code, bool, error) {
	code, ok := strings.CutPrefix(p[page-1], "QR ")
	return dossier.Code(code), ok, nil
}

func (p textPages) Extract(_ context.Context, first, last int, out string) error {
	return os.WriteFile(out, []byte(strings.Join(p[first-1:last], "\f")), 0o666)
}

func (textPages) Close() {}

func TestPile(t *testing.T) {
	for _, c := range []struct {
		name, pile string
		keep       bool
		taken      []string // dossier: bytes
		ends       string
	}{
		{"one, receipt dropped", "QR H51-240830-0001\fa\fb", false, []string{"H51-240830-0001: a\fb"}, Done},
		{"one, receipt kept", "QR H51-240830-0001\fa\fb", true, []string{"H51-240830-0001: QR H51-240830-0001\fa\fb"}, Done},
		{"a receipt alone", "QR H51-240830-0001", false, []string{"H51-240830-0001: QR H51-240830-0001"}, Done},
		{"two, receipts dropped", "QR H51-240830-0001\fa\fb\fQR H51-240830-0002\fc", false, []string{"H51-240830-0001: a\fb", "H51-240830-0002: c"}, Done},
		{"two, receipts kept", "QR H51-240830-0001\fa\fQR H51-240830-0002\fc", true, []string{"H51-240830-0001: QR H51-240830-0001\fa", "H51-240830-0002: QR H51-240830-0002\fc"}, Done},
		{"receipt of two pages", "QR H51-240830-0001\fQR H51-240830-0001\fa\fQR H51-240830-0002\fQR H51-240830-0003\fd", false, []string{"H51-240830-0001: a", "H51-240830-0003: d"}, Done},
		{"nothing behind a receipt, kept", "QR H51-240830-0001\fa\fQR H51-240830-0002", true, []string{"H51-240830-0001: QR H51-240830-0001\fa"}, Done},
		{"the same again within", "QR H51-240830-0001\fa\fQR H51-240830-0001\fb", false, []string{"H51-240830-0001: a\fQR H51-240830-0001\fb"}, Done},
		{"one part bad", "QR H51-240830-0001\fa\fQR H51-240830-0002\fbad", false, []string{"H51-240830-0001: a", "H51-240830-0002: bad"}, Refused},
		{"one part nobody's", "QR H51-240830-0001\fa\fQR H99-240830-0002\fb", false, []string{"H51-240830-0001: a"}, "tray/pile (2).pdf"},
		{"no receipt on top", "x\fQR H51-240830-0001\fa", false, nil, TrayName},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			p.Folder.Pile, p.Folder.Finder, p.Folder.Receipts, p.Folder.Spool = texts{}, texts{}, c.keep, t.TempDir()
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
			if left, err := os.ReadDir(p.Folder.Spool); err != nil || len(left) > 0 {
				t.Errorf("left in the spool: %v %v", left, err)
			}
			want := []string{c.ends + "/pile.pdf"}
			if strings.HasPrefix(c.ends, "tray/") {
				want = []string{Done + "/pile.pdf", c.ends}
			}
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

// A part that nobody knows the unit of lies in the tray once, however often the
// pile is tried, and beside another pile's part of the same name.
func TestPileTray(t *testing.T) {
	p := newPlace(t)
	p.Folder.Pile, p.Folder.Finder = texts{}, texts{}
	p.write("tray/pile (2).pdf", "another's")
	p.write("pile.pdf", "QR H51-240830-0001\fa\fQR H99-240830-0002\fb\fQR H51-240830-0003\fc")
	p.d.during = func(body string) {
		if body == "c" {
			p.d.fail = os.ErrDeadlineExceeded // our fault, after the second part
		}
	}
	p.settle()
	p.want("pile.pdf", "tray/pile (2).pdf", "tray/pile (2) (2).pdf")
	p.d.during, p.d.fail = nil, nil
	p.now = p.now.Add(time.Hour)
	p.reopen()
	p.Folder.Pile, p.Folder.Finder = texts{}, texts{}
	p.settle()
	p.want("done/pile.pdf", "tray/pile (2).pdf", "tray/pile (2) (2).pdf")
	if len(p.d.taken) != 2 {
		t.Errorf("%v", p.d.taken)
	}
}
