package backfill

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/pipeline/register"
	"sohoa/pipeline/sheet"
	"sohoa/storage/ledger"
)

// Results in force: their register is the manifest, an old sheet with tabs and
// TCVN3 text under Vietnamese headers; the files are found by unit and number.
func TestResultsInForce(t *testing.T) {
	dir := t.TempDir()
	h, err := openHouse(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if err := units(h.ledger); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	worked := make(chan error, 1)
	go func() {
		worked <- h.ledger.Work(ctx, ledger.WorkOptions{Workers: 2, Timeout: time.Minute}, h.pipe.Process)
	}()
	defer func() {
		cancel()
		if err := <-worked; err != nil {
			t.Error(err)
		}
	}()

	// "Số ký hiệu, Mã đơn vị, Cấp thẩm quyền, Ngày ban hành, Hiệu lực từ, Hiệu lực
	// đến, Thu hồi, Tên kết quả", "Giấy chứng nhận …" in TCVN3.
	text := "S\xe8 k\xfd hi\xd6u\tM\xb7 \xae\xacn v\xde\tC\xcap th\xc8m quy\xd2n\tNg\xb5y ban h\xb5nh\tHi\xd6u l\xf9c t\xf5\tHi\xd6u l\xf9c \xae\xd5n\tThu h\xe5i\tT\xaan k\xd5t qu\xb6\r\n" +
		"12/GCN-UBND\tH51.04\tt\xd8nh\t30/08/2019\t30/08/2019\t\t0\tGi\xcay ch\xf8ng nh\xcbn quy\xd2n s\xf6 d\xf4ng \xae\xcat\r\n" +
		"13/GCN-UBND\tH51.04\thuy\xd6n\t02/01/2020\t\t02/01/2030\t0\tGi\xcay ph\xd0p x\xa9y d\xf9ng\r\n" +
		"14/GCN-UBND\tH51.04\tx\xb7\t02/01/2020\t\t\t0\tGi\xcay x\xb8c nh\xcbn h\xe9 ngh\xcco\r\n"
	open := func() *sheet.Sheet {
		t.Helper()
		s, err := sheet.Open("results.txt", strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		if s.Encoding() != sheet.TCVN3 {
			t.Errorf("recognised as %s", s.Encoding())
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	sum, bad, err := register.Import(t.Context(), h.ledger, register.Results, open(), register.Options{})
	if err != nil || sum.New != 3 || len(bad) > 0 {
		t.Fatal(sum, bad, err)
	}
	scan, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata/accept/signed-ec.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	files := filepath.Join(dir, "files")
	for _, name := range []string{"H51.04/12_gcn_ubnd.pdf", "H51.04/13-GCN-UBND.PDF"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(files, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(files, name), scan, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(files)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got := map[int]Result{}
	s, err := Run(t.Context(), open(), Local{Pipeline: h.pipe}, Options{Root: root, By: "operator", Match: "{unit}/{number}.pdf",
		Outcomes: func(r Result) error { got[r.Row] = r; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if s.Counts[Stored] != 2 || got[4].Reason != string(FileMissing) {
		t.Errorf("%+v %+v", s, got)
	}
	st, err := h.ledger.Standing(t.Context(), got[2].Document)
	if err != nil {
		t.Fatal(err)
	}
	slip := st.Record.Slip
	if slip.Kind != dossier.ResultInForce || slip.Number != "12/GCN-UBND" || slip.Name != "Giấy chứng nhận quyền sử dụng đất" || slip.IssuedOn != 20190830 || !st.Record.Verdict.Signed {
		t.Errorf("%+v", st.Record)
	}
	n := 0
	if err := filepath.WalkDir(filepath.Join(dir, "archive", "results", "H51.04"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "record.json" {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n != 2 {
		t.Errorf("%d records below results/", n)
	}
}
