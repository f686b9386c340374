package pdf

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
)

// childStack bounds one goroutine's stack: deep recursion over a document that
// points at itself ends the child instead of eating the machine.
const childStack = 64 << 20

// ChildMain is the child's loop: it answers the parent's requests until in ends,
// and returns the exit code. The hidden subcommand pdf-child calls it with the
// standard input and output and nothing else may write to out.
func ChildMain(in io.Reader, out io.Writer) int {
	if out == io.Writer(os.Stdout) {
		// A library that prints must not talk into our frames.
		os.Stdout = os.Stderr
	}
	offerToOOM()
	debug.SetMaxStack(childStack)
	// Fewer threads collecting garbage than the machine has processors: there are
	// other children.
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	// What pdfcpu's api.DisableConfigDir does; its package is none for a program
	// that starts often.
	model.ConfigPath = "disable"

	if in == io.Reader(os.Stdin) {
		go leaveWithParent()
	}
	var doc *document
	var room rooms
	defer func() { doc.close() }()
	note := func(r response) {
		r.Note = true
		// Where the parent has gone the answer will fail, too.
		_ = writeFrame(out, r)
	}
	for {
		var req request
		if err := readFrame(in, &req); err == io.EOF {
			return 0
		} else if err != nil {
			return 1
		}
		res := response{}
		if err := serve(&doc, &room, req, &res, note); err != nil {
			res = response{Pages: res.Pages}
			res.fail(err)
		}
		if res.Large = doc.large(); req.Op == opClose && !req.Wait {
			continue
		}
		if err := writeFrame(out, res); err != nil {
			return 1
		}
	}
}

// leaveWithParent ends the process when its parent has gone: nobody wants the
// answer, and what it works at may never end.
func leaveWithParent() {
	parent := os.Getppid()
	for range time.Tick(time.Second) {
		if os.Getppid() != parent {
			os.Exit(0)
		}
	}
}

// serve answers one request. A panic of a library is an error like any other
// here; what state it leaves is thrown away with the document.
func serve(doc **document, room *rooms, req request, res *response, note func(response)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			// The value may quote the document; its type does not.
			err = fmt.Errorf("panic (%T) at %s", r, panicSite())
		}
	}()
	ctx := context.Background()
	if req.Setup != nil {
		(*doc).close()
		*doc = nil
		debug.SetMemoryLimit(req.Setup.Limits.Memory * 3 / 4)
		if *doc, err = openDocument(req.Path, *req.Setup, note, room); err != nil {
			return err
		}
		note(response{Opened: true})
	}
	if req.Op == opClose {
		large := (*doc).large()
		(*doc).close()
		*doc = nil
		if large {
			// Give back what the next document will not need; after an ordinary scan
			// that would cost more than the scan.
			debug.FreeOSMemory()
		}
		return nil
	}
	if *doc == nil {
		return fmt.Errorf("%s without an open file", req.Op)
	}
	switch req.Op {
	case opInspect:
		v, err := (*doc).inspect(ctx, *req.Question)
		res.Pages = v.Pages
		res.Verdict = &v
		return err
	case opNormalise:
		c, err := (*doc).normalise(ctx, *req.Question, req.Out, *req.Label)
		res.Copy = &c
		return err
	case opPicture:
		png, err := (*doc).picture(ctx, req.Page, req.DPI)
		res.Picture = png
		return err
	case opPages:
		res.Pages, err = (*doc).divisible(ctx, req.DPI)
		return err
	case opExtract:
		return (*doc).extract(ctx, req.Page, req.Last, req.DPI, req.Out)
	}
	return fmt.Errorf("unknown request")
}

// panicSite is the place a panic came from, in names of code only.
func panicSite() string {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	for {
		f, more := frames.Next()
		if f.Function != "" && f.Function != "runtime.gopanic" && f.Function != "runtime.goPanicIndex" &&
			f.Function != "runtime.panicmem" && f.Function != "runtime.sigpanic" {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
		if !more {
			return "unknown"
		}
	}
}
