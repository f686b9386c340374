package tally_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"sohoa/dossier"
	"sohoa/internal/testneed"
	"sohoa/tally"
)

func shared(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(testneed.Shared(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var heading = tally.Heading{Over: "ỦY BAN NHÂN DÂN\nTỈNH SÓC TRĂNG", Place: "Sóc Trăng", Day: 20240830, Signers: []string{"NGƯỜI LẬP BIỂU", "CHÁNH VĂN PHÒNG"}}

// kept writes a workbook into a folder: a temporary one, or the one that
// SOHOA_SHEETS names, to look at.
func kept(t *testing.T, name string, workbook []byte) string {
	t.Helper()
	dir := os.Getenv("SOHOA_SHEETS")
	if dir == "" {
		dir = t.TempDir()
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, workbook, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sheets writes the manager's table and the appendix.
func sheets(t *testing.T) (table, appendix string) {
	t.Helper()
	var b bytes.Buffer
	if err := report(t, small(), tally.Query{Unit: "H51", Period: august}).XLSX(&b, heading); err != nil {
		t.Fatal(err)
	}
	table = kept(t, "bang-tong-hop.xlsx", b.Bytes())
	b.Reset()
	a, err := tally.Appendix(context.Background(), letter(), tally.Query{Period: dossier.Period{From: 20240101, To: 20240830}}, letterRows, tally.DefaultTargets())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.XLSX(&b, heading); err != nil {
		t.Fatal(err)
	}
	return table, kept(t, "phu-luc.xlsx", b.Bytes())
}

// TestXLSXPage: the sheet is ready to print and to read on a screen.
func TestXLSXPage(t *testing.T) {
	table, appendix := sheets(t)
	for path, want := range map[string]struct{ orientation, titles string }{
		table:    {"landscape", "'Bảng tổng hợp'!$8:$10"},
		appendix: {"portrait", "'Phụ lục'!$8:$8"},
	} {
		f, err := excelize.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sheet := f.GetSheetName(0)
		layout, err := f.GetPageLayout(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if *layout.Size != 9 || *layout.Orientation != want.orientation || *layout.FitToWidth != 1 || *layout.FitToHeight != 0 {
			t.Errorf("%s: page %d %s, fit %d × %d", path, *layout.Size, *layout.Orientation, *layout.FitToWidth, *layout.FitToHeight)
		}
		props, err := f.GetSheetProps(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if props.FitToPage == nil || !*props.FitToPage {
			t.Errorf("%s: does not fit to the page", path)
		}
		panes, err := f.GetPanes(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if !panes.Freeze || panes.YSplit == 0 {
			t.Errorf("%s: the head is not frozen", path)
		}
		if !slices.ContainsFunc(f.GetDefinedName(), func(d excelize.DefinedName) bool {
			return d.Name == "_xlnm.Print_Titles" && d.RefersTo == want.titles
		}) {
			t.Errorf("%s: the head is not repeated on each page: %v", path, f.GetDefinedName())
		}
	}
}

// opened is the first sheet as LibreOffice shows it.
func opened(t *testing.T, path string) [][]string {
	t.Helper()
	soffice := testneed.Tool(t, "soffice", "apt-get install libreoffice-calc")
	dir := t.TempDir()
	// 44,34,76: comma, quote, UTF-8; as shown, not as stored.
	cmd := exec.Command(soffice, "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76", "--outdir", dir, path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found, err := filepath.Glob(dir + "/*.csv")
	if err != nil || len(found) != 1 {
		t.Fatalf("LibreOffice made %v (%v)", found, err)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func has(rows [][]string, want string) bool {
	return slices.ContainsFunc(rows, func(r []string) bool { return strings.TrimRight(strings.Join(r, "|"), "|") == want })
}

// TestXLSXOpened: opened by another program, the sheets show our figures.
func TestXLSXOpened(t *testing.T) {
	table, appendix := sheets(t)
	rows := opened(t, table)
	for _, want := range []string{
		"1|Sở Tư pháp|4|1|3|0|3|3|75,00%|80%|Chưa|3|4|3|75,00%|100%|3|75,00%|0|0|—|cần thêm 1 hồ sơ",
		"2|Huyện Trần Đề|6|5|0|1|5|2|33,33%|80%|Chưa|0|4|0|0,00%|100%|0|0,00%|2|1|50,00%|cần thêm 3 hồ sơ",
		"2.1|Xã Đại Ân 2|5|5|0|0|5|2|40,00%|80%|Chưa|0|3|0|0,00%|100%|0|0,00%|1|0|0,00%|cần thêm 2 hồ sơ",
		"2.2|Xã Trung Bình|0|0|0|0|0|0|—|80%|—|0|0|0|—|100%|0|—|0|0|—",
		"|TỔNG: Tỉnh Sóc Trăng|10|6|3|1|8|5|50,00%|80%|Chưa|3|8|3|37,50%|100%|3|30,00%|2|1|50,00%|cần thêm 3 hồ sơ",
		"(Từ ngày 01/08/2024 đến ngày 31/08/2024)",
	} {
		if !has(rows, want) {
			t.Errorf("no row %s", want)
		}
	}
	if t.Failed() {
		for _, r := range rows {
			t.Log(strings.Join(r, "|"))
		}
	}
	rows = opened(t, appendix)
	for _, want := range []string{
		"4|Tỷ lệ số hóa hồ sơ, kết quả giải quyết TTHC|Tối thiểu 80%|48,76%",
		"5|Tỷ lệ cấp kết quả giải quyết TTHC điện tử|100%|49,41%",
		"8|Tỷ lệ công bố, công khai TTHC đúng hạn.|100%|Tỷ lệ công bố đạt 22,45%; Tỷ lệ cập nhật, công khai đạt 57,83%",
		"STT|Chỉ tiêu|Chỉ tiêu năm 2024|Kết quả thực hiện đến tháng 8 năm 2024",
	} {
		if !has(rows, want) {
			t.Errorf("no row %s in %v", want, rows)
		}
	}
}
