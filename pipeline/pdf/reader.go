package pdf

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"sohoa/pipeline/pdf/pdfa"
)

// firstReader reads a PDF's structure with pdfcpu. It does not ask pdfcpu to
// validate: what a scan must have we look at ourselves, page by page, and of the
// foreign files that three other readers open pdfcpu's validation refuses one in
// twenty-seven. The error says at which step it failed, without pdfcpu's words,
// which may quote the document.
func firstReader(r *io.SectionReader, lim Limits) (src *model.Context, err error) {
	defer func() {
		if p := recover(); p != nil {
			src, err = nil, fmt.Errorf("%w: panic (%T) at %s", errFirstReader, p, panicSite())
		}
	}()
	src, err = lazyReader(r, lim)
	if err == nil {
		return src, nil
	}
	if !errors.Is(err, errOdd) && !errors.Is(err, errObjects) {
		return nil, openError(err)
	}
	src, err = pdfcpu.Read(r, readerConfig(lim))
	switch {
	case errors.Is(err, pdfcpu.ErrWrongPassword):
		return nil, errPassword
	case err != nil:
		return nil, fmt.Errorf("%w: %T", errFirstReader, err)
	case src.MaxObjNr > lim.Objects:
		return nil, errObjects
	}
	return src, nil
}

// readerConfig is a configuration of its own for each file: pdfcpu writes to it.
func readerConfig(lim Limits) *model.Configuration {
	conf := model.NewDefaultConfiguration()
	conf.Cmd = model.LISTINFO
	conf.Optimize = false
	conf.Offline = true
	conf.ValidationMode = model.ValidationRelaxed
	conf.Limits.MaxDecodeBytes = lim.Decoded
	conf.Limits.MaxStreamBytes = lim.Size
	conf.Limits.MaxObjectCount = min(lim.Objects+1, math.MaxInt32)
	conf.Limits.MaxXRefEntries = conf.Limits.MaxObjectCount
	return conf
}

var (
	errFirstReader = errors.New("the first reader cannot read it")
	errPassword    = errors.New("a password is needed")
	errObjects     = errors.New("an object number is beyond the limit")
)

// look resolves o; what cannot be resolved is null, as the standard has it.
func look(src *model.Context, o types.Object) types.Object {
	for range 16 { // a reference to a reference is odd, a chain of them hostile
		if o == nil {
			return nil
		}
		if _, ok := o.(types.IndirectRef); !ok {
			return o
		}
		next, err := src.Dereference(o)
		if err != nil {
			return nil
		}
		o = next
	}
	return nil
}

func lookDict(src *model.Context, o types.Object) types.Dict {
	switch v := look(src, o).(type) {
	case types.Dict:
		return v
	case types.StreamDict:
		return v.Dict
	}
	return nil
}

func lookStream(src *model.Context, o types.Object) (*types.StreamDict, bool) {
	sd, ok := look(src, o).(types.StreamDict)
	return &sd, ok
}

func lookArray(src *model.Context, o types.Object) types.Array {
	a, _ := look(src, o).(types.Array)
	return a
}

func lookName(src *model.Context, o types.Object) string {
	n, _ := look(src, o).(types.Name)
	return string(n)
}

func lookNumber(src *model.Context, o types.Object) (float64, bool) {
	switch n := look(src, o).(type) {
	case types.Integer:
		return float64(n), true
	case types.Float:
		return float64(n), true
	}
	return 0, false
}

func lookInt(src *model.Context, o types.Object) int {
	n, _ := lookNumber(src, o)
	if math.IsNaN(n) || math.Abs(n) > math.MaxInt32 {
		return 0
	}
	return int(n)
}

func lookBool(src *model.Context, o types.Object) bool {
	b, _ := look(src, o).(types.Boolean)
	return bool(b)
}

// decodeError keeps pdfcpu's words, which may quote the document, out.
func decodeError(err error) error {
	if errors.Is(err, filter.ErrDecodeLimitExceeded) {
		return fmt.Errorf("a stream cannot be decoded: %w", filter.ErrDecodeLimitExceeded)
	}
	return fmt.Errorf("a stream cannot be decoded: %T", err)
}

// rawBytes is a stream as it lies in the file, not to be written to. Where the
// lazy reader read the file they are read now, and kept nowhere but in buf, which
// grows with what is read and may be nil.
func rawBytes(src *model.Context, sd *types.StreamDict, buf *[]byte) ([]byte, error) {
	if sd.Raw != nil || sd.StreamLength == nil {
		return sd.Raw, nil
	}
	r, ok := src.Read.RS.(io.ReaderAt)
	if !ok {
		return nil, nil
	}
	if b := pdfa.InMemory(r, sd.StreamOffset, *sd.StreamLength); b != nil {
		return b, nil
	}
	if buf == nil {
		buf = new([]byte)
	}
	if int64(cap(*buf)) < *sd.StreamLength {
		*buf = make([]byte, *sd.StreamLength)
	}
	b := (*buf)[:*sd.StreamLength]
	if n, err := r.ReadAt(b, sd.StreamOffset); n < len(b) {
		return nil, openError(err)
	}
	return b, nil
}

// decodedFrom is a stream without its filters. The last filter of an image (DCT,
// JPX, JBIG2) is not undone.
func decodedFrom(src *model.Context, sd *types.StreamDict, limit int64) ([]byte, error) {
	own := *sd
	var err error
	if own.Raw, err = rawBytes(src, sd, nil); err != nil {
		return nil, err
	}
	if len(own.Raw) == 0 && own.Content == nil {
		return nil, nil
	}
	if err := own.DecodeWithLimit(limit); err != nil {
		err = decodeError(err)
		if !errors.Is(err, filter.ErrDecodeLimitExceeded) && len(own.FilterPipeline) == 1 &&
			own.FilterPipeline[0].Name == filter.Flate && own.FilterPipeline[0].DecodeParms == nil {
			return salvage(own.Raw, limit, err)
		}
		return nil, err
	}
	return own.Content, nil
}

// salvage inflates what can be inflated, as viewers do. Where only the checksum
// at the end is wrong nothing is lost; else the error stays and what there was
// comes with it.
func salvage(raw []byte, limit int64, err error) ([]byte, error) {
	raw = bytes.TrimLeft(raw, "\r\n")
	if len(raw) < 2 {
		return nil, err
	}
	body, ferr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(raw[2:])), limit))
	if ferr != nil {
		return body, err
	}
	return body, nil
}

// dangling reports whether an object refers to one that is not there.
func dangling(src *model.Context) bool {
	for num := range src.Table {
		o, err := src.Dereference(*types.NewIndirectRef(num, 0))
		if err == nil && danglingIn(src, o, 0) {
			return true
		}
	}
	return false
}

func danglingIn(src *model.Context, o types.Object, depth int) bool {
	if depth > 32 {
		return false
	}
	switch v := o.(type) {
	case types.IndirectRef:
		e, ok := src.Table[int(v.ObjectNumber)]
		return !ok || !e.Free && e.Object == nil
	case types.StreamDict:
		return danglingIn(src, v.Dict, depth)
	case types.Array:
		for _, e := range v {
			if danglingIn(src, e, depth+1) {
				return true
			}
		}
	case types.Dict:
		for _, e := range v {
			if danglingIn(src, e, depth+1) {
				return true
			}
		}
	}
	return false
}
