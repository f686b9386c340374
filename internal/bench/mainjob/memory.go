package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sohoa/internal/program"
)

// memory starts a server, sends it eight files of 100 MB at once, and prints the
// most memory that the server and its children held together.
func memory(dir, sohoa string) (err error) {
	p, err := program.At(sohoa, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	token, err := p.Found()
	if err != nil {
		return err
	}
	page, err := os.ReadFile("testdata/make/base/page.jpg")
	if err != nil {
		return err
	}
	large := filepath.Join(dir, "large.pdf")
	if err := writeLarge(large, page, 100<<20); err != nil {
		return err
	}
	server, err := p.Serve()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	idle := program.UsageOf(server.Pid()).Memory
	done := make(chan struct{})
	var most, mostServer int64
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, program.UsageOf(server.Pid()).Memory)
				mostServer = max(mostServer, program.MemoryOf(server.Pid()))
			}
		}
	}()
	start := time.Now()
	var g errgroup.Group
	for i := range 8 {
		g.Go(func() error {
			f, err := os.Open(large)
			if err != nil {
				return err
			}
			defer f.Close()
			st, err := f.Stat()
			if err != nil {
				return err
			}
			req, err := http.NewRequest("PUT", fmt.Sprintf("%s/api/v1/dossiers/H51-240801-%04d/documents?kind=component", server.Base, i+1), f)
			if err != nil {
				return err
			}
			req.ContentLength = st.Size()
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Prefer", "wait=60")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 2048))
			if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusAccepted {
				return fmt.Errorf("upload %d: %d %s", i, resp.StatusCode, body)
			}
			return nil
		})
	}
	err = g.Wait()
	close(done)
	<-watched
	if err != nil {
		return err
	}
	fmt.Printf("8 uploads of 100 MB at once, to their verdicts in %.1f s: memory (shared pages counted in parts) idle %d MB, at most %d MB with the child processes (server alone %d MB; to stay under: 400 MB)\n",
		time.Since(start).Seconds(), idle>>20, most>>20, mostServer>>20)
	return nil
}

// writeLarge writes a PDF of at least size bytes: the page over and over, each
// time an image of its own.
func writeLarge(name string, page []byte, size int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	var offsets []int
	at := 0
	put := func(format string, args ...any) {
		n, _ := fmt.Fprintf(w, format, args...)
		at += n
	}
	object := func(format string, args ...any) {
		offsets = append(offsets, at)
		put("%d 0 obj\n", len(offsets))
		put(format, args...)
		put("\nendobj\n")
	}
	n := size/len(page) + 1
	put("%%PDF-1.4\n%%\xe2\xe3\xcf\xd3\n")
	object("<</Type/Catalog/Pages 2 0 R>>")
	var kids strings.Builder
	for i := range n {
		fmt.Fprintf(&kids, "%d 0 R ", 3+3*i)
	}
	object("<</Type/Pages/Count %d/Kids[%s]>>", n, kids.String())
	const width, height = 420, 595 // A5 in points
	for i := range n {
		object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents %d 0 R/Resources<</XObject<</I %d 0 R>>>>>>", width, height, 4+3*i, 5+3*i)
		content := fmt.Sprintf("q %d 0 0 %d 0 0 cm /I Do Q", width, height)
		object("<</Length %d>>stream\n%s\nendstream", len(content), content)
		px, py := jpegSize(page)
		object("<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode/Length %d>>stream\n%s\nendstream", px, py, len(page), page)
	}
	xref := at
	put("xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		put("%010d 00000 n \n", o)
	}
	put("trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, xref)
	return errors.Join(w.Flush(), f.Close())
}

// jpegSize reads the frame header.
func jpegSize(b []byte) (w, h int) {
	for i := 2; i+9 < len(b); {
		m := b[i+1]
		if m >= 0xC0 && m <= 0xC2 {
			return int(b[i+7])<<8 | int(b[i+8]), int(b[i+5])<<8 | int(b[i+6])
		}
		i += 2 + (int(b[i+2])<<8 | int(b[i+3]))
	}
	return 0, 0
}
