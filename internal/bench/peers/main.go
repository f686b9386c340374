// Command peers measures a document's whole way into an S3 server, in processor
// time and memory, beside what an office would put together instead: a shell loop
// of OCRmyPDF (to PDF/A, without OCR, which sohoa does not do either) and MinIO's
// client. Each on a MinIO and an empty bucket of its own, with the same scans, and
// with the same number of documents at once.
//
//	go run ./internal/bench/peers [-dir DIR] [-at-once 1,4,8] [-n 200] [-loop 6] [-sohoa bin/sohoa]
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sohoa/internal/program"
	"sohoa/storage/storagetest/servers"
)

func main() {
	dir := flag.String("dir", ".", "folder on the disk to be measured")
	scan := flag.String("scan", "testdata/accept/scan-a4-colour-linearised.pdf", "the scan that is sent")
	atOnce := flag.String("at-once", "1,4,8", "how many documents are on their way at once, one measurement for each")
	n := flag.Int("n", 200, "documents for sohoa")
	loop := flag.Int("loop", 6, "documents at least for the shell loop, which takes seconds for each; twice as many as are at once in any case")
	sohoa := flag.String("sohoa", "bin/sohoa", "the program")
	flag.Parse()
	if err := run(*dir, *scan, *atOnce, *n, *loop, *sohoa); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir, scan, atOnce string, n, loop int, sohoa string) error {
	for text := range strings.SplitSeq(atOnce, ",") {
		jobs, err := strconv.Atoi(text)
		if err != nil || jobs < 1 {
			return fmt.Errorf("-at-once %s: want numbers from 1 on, with commas between", atOnce)
		}
		if err := beside(dir, scan, jobs, n, max(loop, 2*jobs), sohoa); errors.Is(err, exec.ErrNotFound) {
			fmt.Println("left out:", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// beside measures both ways with that many documents at once.
func beside(dir, scan string, jobs, n, loop int, sohoa string) error {
	work, err := os.MkdirTemp(dir, ".bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if work, err = filepath.Abs(work); err != nil {
		return err
	}
	files, err := copies(work, scan, max(n, loop))
	if err != nil {
		return err
	}
	ours, err := submitted(filepath.Join(work, "sohoa"), sohoa, jobs, files[:n])
	if err != nil {
		return err
	}
	ours.print("sohoa serve, sohoa submit", jobs)
	theirs, err := looped(filepath.Join(work, "loop"), jobs, files[:loop])
	if err != nil {
		return err
	}
	theirs.print("OCRmyPDF and mc cp, a shell loop", jobs)
	fmt.Printf("%d at once: documents a CPU-second: %.0f × (to reach: 50 ×), without the S3 server's part %.0f ×; memory without the S3 server: 1/%.1f (to reach: 1/5)\n",
		jobs, ours.rate(ours.all())/theirs.rate(theirs.all()), ours.rate(ours.own)/theirs.rate(theirs.own), float64(theirs.memory)/float64(ours.memory))
	return nil
}

// copies writes n scans that differ in their last line.
func copies(dir, scan string, n int) (paths []string, err error) {
	body, err := os.ReadFile(scan)
	if err != nil {
		return nil, err
	}
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("scan-%04d.pdf", i))
		if err := os.WriteFile(path, append(bytes.Clone(body), fmt.Sprintf("%%%d\n", i)...), 0o600); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// taken is what a way took for its documents.
type taken struct {
	documents  int
	clock      time.Duration
	own, store time.Duration // processor time: of the way's processes, and of the S3 server
	memory     int64         // of the way's processes together, at most
}

func (t taken) all() time.Duration             { return t.own + t.store }
func (t taken) rate(cpu time.Duration) float64 { return float64(t.documents) / cpu.Seconds() }

func (t taken) print(name string, jobs int) {
	ms := func(d time.Duration) float64 { return 1000 * d.Seconds() / float64(t.documents) }
	fmt.Printf("%d at once, %-34s %4d documents, %6.1f a minute; processor time a document %.1f ms and %.1f ms in the S3 server; memory at most %d MB\n",
		jobs, name+":", t.documents, float64(t.documents)/t.clock.Minutes(), ms(t.own), ms(t.store), t.memory>>20)
}

// submitted hands the files in to a server and waits for their verdicts. Its
// start is not counted, since it is once; its memory is.
func submitted(dir, sohoa string, jobs int, files []string) (t taken, err error) {
	m, err := startMinIO(dir)
	if err != nil {
		return t, err
	}
	defer m.stop()
	p, err := program.At(sohoa, filepath.Join(dir, "data"), "AWS_ACCESS_KEY_ID="+servers.AccessKey, "AWS_SECRET_ACCESS_KEY="+servers.SecretKey,
		"SOHOA_STORE=s3://kho?endpoint=http://"+m.addr+"&region=us-east-1")
	if err != nil {
		return t, err
	}
	token, err := p.Found()
	if err != nil {
		return t, err
	}
	s, err := p.Serve()
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	return measure(m, len(files), s.Pid(), p.Command(append([]string{"submit", "--server", s.Base, "--token", token,
		"--dossier", "H51-240801-0001", "--kind", "component", "--jobs", strconv.Itoa(jobs)}, files...)...))
}

// looped sends the files through OCRmyPDF and MinIO's client, as many at once as
// xargs is told.
func looped(dir string, jobs int, files []string) (t taken, err error) {
	for _, name := range []string{"ocrmypdf", "mc"} {
		if _, err := exec.LookPath(name); err != nil {
			return t, err
		}
	}
	m, err := startMinIO(dir)
	if err != nil {
		return t, err
	}
	defer m.stop()
	const script = `set -e
out="$1/out-$$.pdf"
ocrmypdf -q --tesseract-timeout 0 --output-type pdfa "$2" "$out"
mc --quiet cp "$out" "kho/kho/$(basename "$2")" >/dev/null
rm "$out"`
	cmd := exec.Command("xargs", "-0", "-n", "1", "-P", strconv.Itoa(jobs), "sh", "-c", script, "sh", dir)
	cmd.Stdin = strings.NewReader(strings.Join(files, "\x00"))
	cmd.Env = append(os.Environ(), "MC_CONFIG_DIR="+filepath.Join(dir, "mc"),
		"MC_HOST_kho=http://"+servers.AccessKey+":"+servers.SecretKey+"@"+m.addr)
	bucket := exec.Command("mc", "--quiet", "mb", "kho/kho")
	bucket.Env = cmd.Env
	if out, err := bucket.CombinedOutput(); err != nil {
		return t, fmt.Errorf("mc mb: %w: %s", err, out)
	}
	return measure(m, len(files), 0, cmd)
}

// measure runs the command. What it takes, what the process beside takes
// meanwhile (0: there is none), and what the S3 server takes, is counted.
func measure(m *minio, documents, beside int, cmd *exec.Cmd) (t taken, err error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	store := program.UsageOf(m.pid).Processor
	var before time.Duration
	if beside != 0 {
		before = program.UsageOf(beside).Processor
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return t, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.documents = documents
	for {
		select {
		case err := <-ended:
			if err != nil {
				return t, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, said.Bytes())
			}
			t.clock = time.Since(start)
			t.own = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			if beside != 0 {
				t.own += program.UsageOf(beside).Processor - before
			}
			t.store = program.UsageOf(m.pid).Processor - store
			return t, nil
		case <-time.After(50 * time.Millisecond):
			now := program.UsageOf(cmd.Process.Pid).Memory
			if beside != 0 {
				now += program.UsageOf(beside).Memory
			}
			t.memory = max(t.memory, now)
		}
	}
}

// minio is an S3 server of its own.
type minio struct {
	addr string
	pid  int
	stop func()
}

func startMinIO(dir string) (*minio, error) {
	path, err := exec.LookPath("minio")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "minio"), 0o700); err != nil {
		return nil, err
	}
	port, err := servers.FreePort()
	if err != nil {
		return nil, err
	}
	cmd := servers.MinIOCommand(path, filepath.Join(dir, "minio"), "127.0.0.1:"+port)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m := &minio{addr: "127.0.0.1:" + port, pid: cmd.Process.Pid, stop: func() {
		_ = cmd.Process.Kill() // gone already is as good
		_ = cmd.Wait()         // killed
	}}
	if err := servers.Wait(http.DefaultClient, "http://"+m.addr+"/minio/health/live"); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}
