package pdfa

import (
	"bytes"
	"fmt"
	"io"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// loaded shows a context that pdfcpu has read as a document. Its strings and
// streams are decrypted, which is what it is for.
type loaded struct {
	ctx *model.Context
	top dict
}

func newLoaded(ctx *model.Context) *loaded {
	d := &loaded{ctx: ctx, top: dict{}}
	if ctx.Root != nil {
		d.top["Root"] = ref{ctx.Root.ObjectNumber.Value(), ctx.Root.GenerationNumber.Value()}
	}
	return d
}

func (d *loaded) trailer() dict { return d.top }

func (d *loaded) resolve(o any) (any, error) {
	r, ok := o.(ref)
	if !ok {
		return o, nil
	}
	po, err := d.ctx.Dereference(*types.NewIndirectRef(r.num, r.gen))
	if err != nil {
		return nil, quiet{err}
	}
	return fromCPU(po, 0)
}

// quiet is an error of pdfcpu without its text, which may quote the document.
type quiet struct{ err error }

func (q quiet) Error() string { return "pdfcpu cannot read an object" }
func (q quiet) Unwrap() error { return q.err }

func fromCPU(o types.Object, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested more than %d deep", errSyntax, maxDepth)
	}
	switch o := o.(type) {
	case nil:
		return nil, nil
	case types.Boolean:
		return o.Value(), nil
	case types.Integer:
		return int64(o.Value()), nil
	case types.Float:
		return o.Value(), nil
	case types.Name:
		s, err := types.DecodeName(string(o))
		if err != nil {
			s = string(o)
		}
		return name(s), nil
	case types.StringLiteral:
		b, err := types.Unescape(o.Value())
		if err != nil {
			return nil, err
		}
		return str(b), nil
	case types.HexLiteral:
		b, err := o.Bytes()
		if err != nil {
			return nil, err
		}
		return str(b), nil
	case types.IndirectRef:
		return ref{o.ObjectNumber.Value(), o.GenerationNumber.Value()}, nil
	case types.Array:
		out := make(array, len(o))
		for i, e := range o {
			v, err := fromCPU(e, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	case types.Dict:
		return dictFromCPU(o, depth)
	case types.StreamDict:
		return streamFromCPU(o, depth)
	case *types.StreamDict:
		return streamFromCPU(*o, depth)
	case types.ObjectStreamDict:
		return streamFromCPU(o.StreamDict, depth)
	case types.XRefStreamDict:
		return streamFromCPU(o.StreamDict, depth)
	}
	return nil, fmt.Errorf("%w: %T from pdfcpu", errSyntax, o)
}

func dictFromCPU(d types.Dict, depth int) (dict, error) {
	out := make(dict, len(d))
	for k, e := range d {
		v, err := fromCPU(e, depth+1)
		if err != nil {
			return nil, err
		}
		if v != nil {
			if s, err := types.DecodeName(k); err == nil {
				k = s
			}
			out[name(k)] = v
		}
	}
	return out, nil
}

func streamFromCPU(s types.StreamDict, depth int) (any, error) {
	d, err := dictFromCPU(s.Dict, depth)
	if err != nil {
		return nil, err
	}
	return &stream{d, io.NewSectionReader(bytes.NewReader(s.Raw), 0, int64(len(s.Raw)))}, nil
}
