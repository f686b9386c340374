package hotfolder

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"
	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"sohoa/dossier"
)

// receipt renders a receipt as a scanner at 200 dpi gives it: text, a QR code of
// 25 mm or a barcode of 75 × 14 mm, tilted, perhaps upside down, noisy, through
// JPEG.
func receipt(t testing.TB, rnd *rand.Rand, code string, barcode bool) image.Image {
	t.Helper()
	mm := func(n float64) int { return int(n * 200 / 25.4) }
	page := image.NewGray(image.Rect(0, 0, 1654, 2339))
	paper := uint8(225 + rnd.IntN(30))
	draw.Draw(page, page.Bounds(), image.NewUniform(color.Gray{paper}), image.Point{}, draw.Src)

	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 13, DPI: 200})
	if err != nil {
		t.Fatal(err)
	}
	pen := font.Drawer{Dst: page, Src: image.NewUniform(color.Gray{30}), Face: face}
	for i := range 32 {
		pen.Dot = fixed.P(160, 620+i*48)
		words := ""
		for range 3 + rnd.IntN(6) {
			words += []string{"GIẤY TIẾP NHẬN ", "hồ sơ số ", "ngày hẹn trả ", "|||| ||| ", "Nguyễn Thị ", strconv.Itoa(rnd.IntN(1e6)) + " "}[rnd.IntN(6)]
		}
		pen.DrawString(words)
	}
	var m *gozxing.BitMatrix
	if barcode {
		m, err = oned.NewCode128Writer().Encode(code, gozxing.BarcodeFormat_CODE_128, mm(75), mm(14), nil)
	} else {
		text := []string{code, "https://dichvucong.example.vn/tra-cuu?mhs=" + code, "Mã hồ sơ|" + code + "|Nguyễn Văn A"}[rnd.IntN(3)]
		m, err = qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, mm(25), mm(25),
			map[gozxing.EncodeHintType]any{gozxing.EncodeHintType_CHARACTER_SET: "UTF-8"})
	}
	if err != nil {
		t.Fatal(err)
	}
	at := image.Pt(200+rnd.IntN(700), 220+rnd.IntN(120))
	for y := range m.GetHeight() {
		for x := range m.GetWidth() {
			v := paper
			if m.Get(x, y) {
				v = uint8(20 + rnd.IntN(30))
			}
			page.SetGray(at.X+x, at.Y+y, color.Gray{v})
		}
	}

	angle := rnd.Float64()*20 - 10
	page = rotatedOn(page, angle, paper)
	if rnd.IntN(2) == 0 { // upside down
		for i, j := 0, len(page.Pix)-1; i < j; i, j = i+1, j-1 {
			page.Pix[i], page.Pix[j] = page.Pix[j], page.Pix[i]
		}
	}
	strength := 4 + rnd.Float64()*16
	for i, v := range page.Pix {
		n := float64(v) + rnd.NormFloat64()*strength
		switch rnd.IntN(2000) {
		case 0:
			n = 0
		case 1:
			n = 255
		}
		page.Pix[i] = uint8(math.Max(0, math.Min(255, n)))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, page, &jpeg.Options{Quality: 60 + rnd.IntN(30)}); err != nil {
		t.Fatal(err)
	}
	out, err := jpeg.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func rotatedOn(g *image.Gray, degrees float64, paper uint8) *image.Gray {
	out := rotated(g, degrees)
	for i, v := range out.Pix {
		if v == 255 {
			out.Pix[i] = paper
		}
	}
	return out
}

// At least 98 of 100 are read, and none is read wrong. SOHOA_TEST_RECEIPTS sets
// how many are rendered.
func TestReceipts(t *testing.T) {
	n := 12
	if s := os.Getenv("SOHOA_TEST_RECEIPTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var working sync.WaitGroup
	read, wrong, missed := 0, 0, map[bool]int{}
	lanes := make(chan struct{}, 2)
	for i := range n {
		lanes <- struct{}{}
		working.Go(func() {
			defer func() { <-lanes }()
			rnd := rand.New(rand.NewPCG(7322, uint64(i)))
			code := fmt.Sprintf("H51.%02d-24%02d%02d-%04d", rnd.IntN(90), 1+rnd.IntN(12), 1+rnd.IntN(28), rnd.IntN(10000))
			barcode := i%2 == 1
			got, ok := ReadCode(receipt(t, rnd, code, barcode))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case !ok:
				missed[barcode]++
			case got != dossier.Code(code):
				wrong++
			default:
				read++
			}
		})
	}
	working.Wait()
	t.Logf("%d receipts: %d read, %d wrong; missed: %d QR codes, %d barcodes", n, read, wrong, missed[false], missed[true])
	if wrong > 0 || read*100 < 98*n {
		t.Error("too few were read, or one wrong")
	}
}

func TestNoCode(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, text := range []string{"H51.04-240231-0001", "https://example.vn/", "079123456789"} {
		if c, ok := ReadCode(receipt(t, rnd, text, false)); ok {
			t.Errorf("%q gave %s", text, c)
		}
	}
	// Two dossiers on one page: a person must say which.
	a, b := toGrey(receipt(t, rnd, "H51.04-240830-0001", false)), toGrey(receipt(t, rnd, "H51.04-240830-0002", false))
	both := image.NewGray(image.Rect(0, 0, a.Bounds().Dx(), 2*a.Bounds().Dy()))
	draw.Draw(both, a.Bounds(), a, image.Point{}, draw.Src)
	draw.Draw(both, a.Bounds().Add(image.Pt(0, a.Bounds().Dy())), b, image.Point{}, draw.Src)
	if c, ok := ReadCode(both); ok {
		t.Errorf("two codes gave %s", c)
	}
}

func BenchmarkReadCode(b *testing.B) {
	for _, barcode := range []bool{false, true} {
		b.Run(map[bool]string{false: "QR", true: "Code128"}[barcode], func(b *testing.B) {
			m := receipt(b, rand.New(rand.NewPCG(1, 2)), "H51.04-240830-0001", barcode)
			for b.Loop() {
				ReadCode(m)
			}
		})
	}
	b.Run("none", func(b *testing.B) {
		m := receipt(b, rand.New(rand.NewPCG(1, 2)), "nothing", false)
		for b.Loop() {
			ReadCode(m)
		}
	})
}
