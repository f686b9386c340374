package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// memory starts a server, sends it eight files of 100 MB at once, and prints the
// most memory that the server and its children held together.
func memory(dir, sohoa string) error {
	sohoa, err := filepath.Abs(sohoa)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	if err := os.WriteFile(filepath.Join(dir, "units.csv"), []byte("code,name,level,parent,valid_from,valid_to,successor\nH51,Tỉnh Sóc Trăng,province,,,,\n"), 0o600); err != nil {
		return err
	}
	if out, err := exec.Command(sohoa, "import", "units", filepath.Join(dir, "units.csv"), "--data", data).CombinedOutput(); err != nil {
		return fmt.Errorf("import: %w: %s", err, out)
	}
	token, err := exec.Command(sohoa, "token", "create", "--role", "operator", "--unit", "H51", "--data", data).Output()
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	page, err := os.ReadFile("testdata/make/base/page.jpg")
	if err != nil {
		return err
	}
	large := filepath.Join(dir, "large.pdf")
	if err := writeLarge(large, page, 100<<20); err != nil {
		return err
	}
	server := exec.Command(sohoa, "serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error")
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer server.Wait()
	defer server.Process.Signal(syscall.SIGTERM)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return err
	}
	_, base, _ := strings.Cut(strings.TrimSpace(line), "serves at ")
	idle := resident(server.Process.Pid)
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
				most = max(most, resident(server.Process.Pid))
				mostServer = max(mostServer, residentOf(server.Process.Pid))
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
			req, err := http.NewRequest("PUT", fmt.Sprintf("%s/api/v1/dossiers/H51-240801-%04d/documents?kind=component", base, i+1), f)
			if err != nil {
				return err
			}
			req.ContentLength = st.Size()
			req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
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
	fmt.Printf("8 uploads of 100 MB at once, to their verdicts in %.1f s: resident memory idle %d MB, at most %d MB with the child processes (server alone %d MB; to stay under: 400 MB)\n",
		time.Since(start).Seconds(), idle>>20, most>>20, mostServer>>20)
	return nil
}

// resident is the memory of a process and its children.
func resident(pid int) int64 {
	sum := residentOf(pid)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return sum
	}
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	seen := map[string]bool{}
	for _, t := range tasks {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name())); err == nil {
			children = append(append(children, ' '), b...)
		}
	}
	for _, c := range bytes.Fields(children) {
		if seen[string(c)] {
			continue
		}
		seen[string(c)] = true
		if n, err := strconv.Atoi(string(c)); err == nil {
			sum += residentOf(n)
		}
	}
	return sum
}

func residentOf(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
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
