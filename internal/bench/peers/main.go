// Command peers measures a document's whole way into an S3 server, in processor
// time and memory, beside what an office would put together instead: a shell loop
// of OCRmyPDF (to PDF/A, without OCR, which sohoa does not do either) and MinIO's
// client. Each on a MinIO and an empty bucket of its own, with the same scans.
//
//	go run ./internal/bench/peers [-dir DIR] [-n 200] [-loop 10] [-sohoa bin/sohoa]
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
	"time"

	"sohoa/internal/program"
	"sohoa/storage/storagetest/servers"
)

func main() {
	dir := flag.String("dir", ".", "folder on the disk to be measured")
	scan := flag.String("scan", "testdata/accept/scan-a4-colour-linearised.pdf", "the scan that is sent")
	n := flag.Int("n", 200, "documents for sohoa")
	loop := flag.Int("loop", 10, "documents for the shell loop, which takes seconds for each")
	sohoa := flag.String("sohoa", "bin/sohoa", "the program")
	flag.Parse()
	if err := run(*dir, *scan, *n, *loop, *sohoa); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir, scan string, n, loop int, sohoa string) error {
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
	ours, err := submitted(filepath.Join(work, "sohoa"), sohoa, files[:n])
	if err != nil {
		return err
	}
	ours.print("sohoa serve, sohoa submit")
	theirs, err := looped(filepath.Join(work, "loop"), files[:loop])
	if errors.Is(err, exec.ErrNotFound) {
		fmt.Println("left out:", err)
		return nil
	}
	if err != nil {
		return err
	}
	theirs.print("OCRmyPDF and mc cp, a shell loop")
	fmt.Printf("documents a CPU-second: %.0f × (to reach: 50 ×), without the S3 server's part %.0f ×; memory without the S3 server: 1/%.1f (to reach: 1/5)\n",
		ours.rate(ours.all())/theirs.rate(theirs.all()), ours.rate(ours.own)/theirs.rate(theirs.own), float64(theirs.memory)/float64(ours.memory))
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

func (t taken) print(name string) {
	ms := func(d time.Duration) float64 { return 1000 * d.Seconds() / float64(t.documents) }
	fmt.Printf("%-34s %4d documents, %6.1f a minute; processor time a document %.1f ms and %.1f ms in the S3 server; memory at most %d MB\n",
		name+":", t.documents, float64(t.documents)/t.clock.Minutes(), ms(t.own), ms(t.store), t.memory>>20)
}

// submitted hands the files in to a server and waits for their verdicts. Its
// start is not counted, since it is once; its memory is.
func submitted(dir, sohoa string, files []string) (t taken, err error) {
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
		"--dossier", "H51-240801-0001", "--kind", "component"}, files...)...))
}

// looped sends the files through OCRmyPDF and MinIO's client, one after the other.
func looped(dir string, files []string) (t taken, err error) {
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
out=$1; shift
for f; do
	ocrmypdf -q --tesseract-timeout 0 --output-type pdfa "$f" "$out"
	mc --quiet cp "$out" "kho/kho/$(basename "$f")" >/dev/null
done`
	cmd := exec.Command("sh", append([]string{"-c", script, "sh", filepath.Join(dir, "out.pdf")}, files...)...)
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
