package pdfa

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"

	"sohoa/dossier"
)

// Image is what was found of an image file. An image that InspectImage returns
// is whole: what is cut off or damaged is rejected.
type Image struct {
	MediaType string // image/jpeg, image/png, image/tiff, image/webp
	Frames    []Frame
}

// Frame is one page of an image file.
type Frame struct {
	Width, Height int     // stored pixels, before Orientation
	DPIX, DPIY    float64 // as stored; 0 where the file states none
	Colour        dossier.Colour
	Bits          int // per component
	Components    int // without alpha
	Alpha         bool
	Orientation   int // EXIF: 1 to 8; 5 to 8 swap width and height
	Coding        string
}

// Pages is the number of frames.
func (im Image) Pages() int { return len(im.Frames) }

// MinDPI is the lowest stated resolution, 0 where a frame states none.
func (im Image) MinDPI() float64 {
	low := math.Inf(1)
	for _, f := range im.Frames {
		low = min(low, f.DPIX, f.DPIY)
	}
	if math.IsInf(low, 1) {
		return 0
	}
	return low
}

// picture is a frame with the way to write it.
type picture struct {
	Frame
	// write writes the image object and returns it.
	write func(w *imageWriter) (ref, error)
	stop  error // why it cannot be written, if it cannot
}

const (
	maxFrames = 10_000
	maxPixels = 1 << 30   // of one frame
	maxSide   = 1 << 18   // of one frame, in pixels
	maxPiece  = 192 << 20 // a strip or tile decoded, which is held in memory
	maxWhole  = 80 << 20  // pixels of a frame that can only be decoded whole
)

func rejected(r dossier.Reason, vi, en string, err error) error {
	return dossier.Reject(r, dossier.Text{VI: vi, EN: en}, err)
}

func truncated(what string) error {
	return rejected(dossier.Truncated, "ảnh bị cắt cụt", "the image is cut off", fmt.Errorf("%s", what))
}

func damagedImage(format string, a ...any) error {
	return rejected(dossier.Damaged, "ảnh bị hỏng", "the image is damaged", fmt.Errorf(format, a...))
}

// InspectImage reads an image file without decoding its pixels (PNG is inflated,
// which is the only way to know that it is whole). A *dossier.Rejection says
// that the file is at fault; any other error is ours.
func InspectImage(r io.ReaderAt, size int64) (Image, error) {
	mt, pics, err := openImage(r, size)
	if err != nil {
		return Image{}, err
	}
	im := Image{MediaType: mt}
	for _, p := range pics {
		im.Frames = append(im.Frames, p.Frame)
	}
	return im, nil
}

func openImage(r io.ReaderAt, size int64) (string, []picture, error) {
	head := make([]byte, min(16, max(size, 0)))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return "", nil, fmt.Errorf("reading the image: %w", err)
	}
	var pics []picture
	var err error
	var mt string
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		mt = "image/jpeg"
		pics, err = openJPEG(r, size)
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		mt = "image/png"
		pics, err = openPNG(r, size)
	case bytes.HasPrefix(head, []byte("II*\x00")), bytes.HasPrefix(head, []byte("MM\x00*")),
		bytes.HasPrefix(head, []byte("II+\x00")), bytes.HasPrefix(head, []byte("MM\x00+")):
		mt = "image/tiff"
		pics, err = openTIFF(r, size)
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		mt = "image/webp"
		pics, err = openWebP(r, size)
	default:
		return "", nil, dossier.Reject(dossier.NotADocument, dossier.Text{}, fmt.Errorf("no known image type"))
	}
	if err != nil {
		return "", nil, err
	}
	if len(pics) == 0 {
		return "", nil, dossier.Reject(dossier.Empty, dossier.Text{}, fmt.Errorf("no frames"))
	}
	for _, p := range pics {
		if p.Width <= 0 || p.Height <= 0 {
			return "", nil, damagedImage("an image of %d × %d pixels", p.Width, p.Height)
		}
		if p.Width > maxSide || p.Height > maxSide || int64(p.Width)*int64(p.Height) > maxPixels {
			return "", nil, rejected(dossier.TooLarge, "ảnh quá lớn", "too many pixels", nil)
		}
	}
	return mt, pics, nil
}

// imageWriter writes the pages of an image file.
type imageWriter struct {
	ctx  context.Context
	out  *output
	cmyk bool // some device CMYK was written
	rgb  bool
}

// FromImage writes the PDF/A-2b copy of an image file at its true size. A frame
// that states no resolution is taken to have defaultDPI, with a finding.
func FromImage(ctx context.Context, r io.ReaderAt, size int64, w io.Writer, l Label, defaultDPI int) (Result, error) {
	if defaultDPI <= 0 {
		return Result{}, fmt.Errorf("pdfa: default resolution of %d dpi", defaultDPI)
	}
	_, pics, err := openImage(r, size)
	if err != nil {
		return Result{}, err
	}
	iw := &imageWriter{ctx: ctx, out: newOutput(ctx, w)}
	var res Result
	tree := iw.out.reserve()
	var kids array
	for i, p := range pics {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		if p.stop != nil {
			return Result{}, fmt.Errorf("page %d: %w", i+1, p.stop)
		}
		x, y := p.DPIX, p.DPIY
		if x == 0 || y == 0 {
			x, y = float64(defaultDPI), float64(defaultDPI)
			res.Findings = append(res.Findings, dossier.Finding{Flag: dossier.ResolutionUnknown, Page: i + 1})
		}
		pw, ph := points(p.Width, x), points(p.Height, y)
		m := placement(p.Orientation, pw, ph)
		if p.Orientation >= 5 {
			pw, ph = ph, pw
		}
		if pw < 3 || ph < 3 || pw > 14400 || ph > 14400 {
			return Result{}, refuse("a page of %.0f × %.0f points", pw, ph)
		}
		im, err := p.write(iw)
		if err != nil {
			return Result{}, fmt.Errorf("page %d: %w", i+1, err)
		}
		var content []byte
		for _, v := range m {
			content = append(appendReal(content, v), ' ')
		}
		content = append(content, "cm\n/Im0 Do\n"...)
		body := iw.out.reserve()
		iw.out.bytes(body, dict{}, content, false)
		kids = append(kids, iw.out.add(dict{"Type": name("Page"), "Parent": ref{tree, 0},
			"MediaBox": array{0, 0, pw, ph}, "Contents": ref{body, 0},
			"Resources": dict{"XObject": dict{"Im0": im}}}))
	}
	if iw.cmyk && iw.rgb {
		return Result{}, refuse("RGB and CMYK pages in one file")
	}
	iw.out.put(tree, dict{"Type": name("Pages"), "Count": len(kids), "Kids": kids})
	n, sum, err := finish(iw.out, ref{tree, 0}, nil, l, iw.cmyk)
	if err != nil {
		return Result{}, err
	}
	res.Pages, res.Size, res.SHA256 = len(kids), n, sum
	return res, nil
}

// points is the length of n pixels, to a thousandth of a point.
func points(n int, dpi float64) float64 {
	return math.Round(float64(n)*72/dpi*1000) / 1000
}

// placement maps the unit square of the stored image, w × h points, to the
// upright page. Orientation is that of EXIF.
func placement(orientation int, w, h float64) [6]float64 {
	switch orientation {
	case 2:
		return [6]float64{-w, 0, 0, h, w, 0}
	case 3:
		return [6]float64{-w, 0, 0, -h, w, h}
	case 4:
		return [6]float64{w, 0, 0, -h, 0, h}
	case 5:
		return [6]float64{0, -w, -h, 0, h, w}
	case 6:
		return [6]float64{0, -w, h, 0, 0, w}
	case 7:
		return [6]float64{0, w, h, 0, 0, 0}
	case 8:
		return [6]float64{0, w, -h, 0, h, 0}
	}
	return [6]float64{w, 0, 0, h, 0, 0}
}

// colour returns the colour space for n components: the profile, where it is
// one PDF/A allows, else the device's.
func (w *imageWriter) colour(n int, icc []byte) any {
	if p, err := readProfile(icc); err == nil && p.n == n && !p.lab {
		num := w.out.reserve()
		w.out.bytes(num, dict{"N": n}, icc, true)
		return array{name("ICCBased"), ref{num, 0}}
	}
	switch n {
	case 1:
		return name("DeviceGray")
	case 3:
		w.rgb = true
		return name("DeviceRGB")
	}
	w.cmyk = true
	return name("DeviceCMYK")
}

// sane drops a resolution that cannot be meant.
func sane(dpi float64) float64 {
	if dpi < 10 || dpi > 10000 || math.IsNaN(dpi) {
		return 0
	}
	// 200 dpi kept as whole pixels per metre or centimetre reads 199.9996…
	if r := math.Round(dpi); math.Abs(dpi-r) < 0.02 {
		return r
	}
	return dpi
}

func saneBoth(x, y float64) (float64, float64) {
	x, y = sane(x), sane(y)
	if x == 0 || y == 0 || x/y > 10 || y/x > 10 {
		return 0, 0
	}
	return x, y
}
