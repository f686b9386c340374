package pdfa

import (
	"bytes"
	"compress/zlib"
	"io"
)

// raster writes rows of samples as a Flate image with PNG prediction.
// next returns the next row, packed as PDF wants it; it is called height times.
func (w *imageWriter) raster(d dict, height, rowBytes, colors, bits, columns int, next func() ([]byte, error)) (ref, error) {
	d = with(d, "Type", name("XObject"))
	d["Subtype"] = name("Image")
	d["Filter"] = name("FlateDecode")
	predict := bits >= 8
	if predict {
		d["DecodeParms"] = dict{"Predictor": 15, "Colors": colors, "BitsPerComponent": bits, "Columns": columns}
	}
	num := w.out.reserve()
	pr, pw := io.Pipe()
	go func() {
		pw.CloseWithError(func() error {
			prev, line := make([]byte, rowBytes), make([]byte, 0, rowBytes+1)
			for range height {
				row, err := next()
				if err != nil {
					return err
				}
				if predict {
					line = filterRow(line[:0], row, prev, max(1, colors*bits/8))
					copy(prev, row)
					row = line
				}
				if _, err := pw.Write(row); err != nil {
					return err
				}
			}
			return nil
		}())
	}()
	w.out.deflate(num, d, pr)
	// Wait for the producer, or stop it where the writer failed.
	_ = pr.CloseWithError(io.ErrClosedPipe)
	return ref{num, 0}, w.out.err
}

// filterRow appends a row filtered the way that gives the smallest sum, which
// is what makes it deflate well.
func filterRow(out, row, prev []byte, bpp int) []byte {
	best, bestSum := 0, int(^uint(0)>>1)
	for kind := range 3 {
		sum := 0
		for i := range row {
			v := int(int8(predict(kind, row, prev, i, bpp)))
			sum += abs(v)
		}
		if sum < bestSum {
			best, bestSum = kind, sum
		}
	}
	out = append(out, []byte{1, 2, 4}[best])
	for i := range row {
		out = append(out, predict(best, row, prev, i, bpp))
	}
	return out
}

func predict(kind int, row, prev []byte, i, bpp int) byte {
	var a, c int
	if i >= bpp {
		a, c = int(row[i-bpp]), int(prev[i-bpp])
	}
	switch kind {
	case 0:
		return row[i] - byte(a)
	case 1:
		return row[i] - prev[i]
	}
	return row[i] - paeth(a, int(prev[i]), c)
}

func inflate(b []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, maxProfile))
}
