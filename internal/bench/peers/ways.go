package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"sohoa/internal/program"
	"sohoa/storage/storagetest/servers"
)

// submitted hands the files in to a server and waits for their verdicts.
func submitted(name, sohoa string, s3 bool) way {
	return way{name: name, start: func(dir string, jobs int) (r running, err error) {
		var env []string
		if s3 {
			if r.store, err = startMinIO(dir); err != nil {
				return r, err
			}
			defer func() {
				if err != nil {
					r.store.stop()
				}
			}()
			env = []string{"AWS_ACCESS_KEY_ID=" + servers.AccessKey, "AWS_SECRET_ACCESS_KEY=" + servers.SecretKey,
				"SOHOA_STORE=s3://kho?endpoint=http://" + r.store.addr + "&region=us-east-1"}
		}
		p, err := program.At(sohoa, filepath.Join(dir, "data"), env...)
		if err != nil {
			return r, err
		}
		token, err := p.Found()
		if err != nil {
			return r, err
		}
		s, err := p.Serve()
		if err != nil {
			return r, err
		}
		r.send = func(ctx context.Context, files []string) error {
			return finish(ctx, p.Command(append([]string{"submit", "--server", s.Base, "--token", token,
				"--dossier", "H51-240801-0001", "--kind", "component", "--jobs", strconv.Itoa(jobs)}, files...)...))
		}
		r.stop = func() error {
			if r.store != nil {
				defer r.store.stop()
			}
			return s.Stop()
		}
		return r, nil
	}}
}

// looped sends the files through OCRmyPDF and MinIO's client, as many at once as
// xargs is told.
func looped() way {
	return way{name: "OCRmyPDF and mc cp, a shell loop", start: func(dir string, jobs int) (r running, err error) {
		for _, name := range []string{"ocrmypdf", "mc"} {
			if _, err := exec.LookPath(name); err != nil {
				return r, err
			}
		}
		if r.store, err = startMinIO(dir); err != nil {
			return r, err
		}
		r.stop = func() error { r.store.stop(); return nil }
		env := append(os.Environ(), "MC_CONFIG_DIR="+filepath.Join(dir, "mc"),
			"MC_HOST_kho=http://"+servers.AccessKey+":"+servers.SecretKey+"@"+r.store.addr)
		bucket := exec.Command("mc", "--quiet", "mb", "kho/kho")
		bucket.Env = env
		if out, err := bucket.CombinedOutput(); err != nil {
			return r, errors.Join(fmt.Errorf("mc mb: %w: %s", err, out), r.stop())
		}
		const script = `set -e
out="$1/out-$$.pdf"
ocrmypdf -q --tesseract-timeout 0 --output-type pdfa "$2" "$out"
mc --quiet cp "$out" "kho/kho/$(basename "$2")" >/dev/null
rm "$out"`
		r.send = func(ctx context.Context, files []string) error {
			cmd := exec.Command("xargs", "-0", "-n", "1", "-P", strconv.Itoa(jobs), "sh", "-c", script, "sh", dir)
			cmd.Stdin = strings.NewReader(strings.Join(files, "\x00"))
			cmd.Env = env
			return finish(ctx, cmd)
		}
		return r, nil
	}}
}

// finish runs the command to its good end.
func finish(ctx context.Context, cmd *exec.Cmd) error {
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })() // gone already is as good
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, said.Bytes())
	}
	return nil
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
