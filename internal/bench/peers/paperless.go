package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"sohoa/storage/storagetest/servers"
)

// leanDocuments is how many documents it is sent where one takes it a second and
// not a quarter of a minute: with four, two runs were a third apart.
const leanDocuments = 20

// paperlessWays are paperless-ngx as it is shipped, which reads the text of a scan
// (OCR), and with settings in its favour: without OCR, with a PDF/A copy of the
// scan and with none, and as many workers as have something to do.
func paperlessWays(dir string) ([]way, error) {
	// What it starts runs elsewhere than this process.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	version, err := os.ReadFile(filepath.Join(dir, "version"))
	if err != nil {
		return nil, fmt.Errorf("no installation by scripts/paperless.sh: %w", err)
	}
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		return nil, err
	}
	name := "paperless-ngx " + strings.Join(strings.Split(strings.TrimSpace(string(version)), "\n"), ", ")
	var ways []way
	for _, s := range []struct {
		name string
		env  []string
		lean bool
	}{
		{name: "as shipped"},
		{name: "no OCR, a PDF/A copy", env: []string{"PAPERLESS_OCR_MODE=off", "PAPERLESS_ARCHIVE_FILE_GENERATION=always"}, lean: true},
		{name: "no OCR, no copy", env: []string{"PAPERLESS_OCR_MODE=off", "PAPERLESS_ARCHIVE_FILE_GENERATION=never"}, lean: true},
	} {
		least := 0
		if s.lean {
			least = leanDocuments
		}
		ways = append(ways, way{name: name + ", " + s.name, least: least, start: func(work string, jobs int) (running, error) {
			env := s.env
			if s.lean {
				env = append(env[:len(env):len(env)], "PAPERLESS_THREADS_PER_WORKER=1",
					"PAPERLESS_TASK_WORKERS="+strconv.Itoa(min(jobs, runtime.NumCPU())))
			}
			p := paperless{dir: dir, work: work, token: strings.TrimSpace(string(token)), jobs: jobs}
			if err := p.start(env); err != nil {
				return running{}, errors.Join(err, p.stop())
			}
			return running{send: p.send, stop: p.stop}, nil
		}})
	}
	return ways, nil
}

// paperless is a server with the processes of its scripts/*.service, its broker and
// a copy of the installation's empty data.
type paperless struct {
	dir, work, token string
	jobs             int
	base             string // http://host:port
	processes        []*exec.Cmd
}

func (p *paperless) start(env []string) error {
	if err := os.CopyFS(p.work, os.DirFS(filepath.Join(p.dir, "new"))); err != nil {
		return err
	}
	broker, err := servers.FreePort()
	if err != nil {
		return err
	}
	port, err := servers.FreePort()
	if err != nil {
		return err
	}
	p.base = "http://127.0.0.1:" + port
	env = append(env, "PATH="+filepath.Join(p.dir, "venv/bin")+":"+os.Getenv("PATH"),
		"HOME="+p.work, "LANG=C.UTF-8",
		"PAPERLESS_DATA_DIR="+filepath.Join(p.work, "data"), "PAPERLESS_MEDIA_ROOT="+filepath.Join(p.work, "media"),
		"PAPERLESS_CONSUMPTION_DIR="+filepath.Join(p.work, "consume"), "PAPERLESS_SCRATCH_DIR="+filepath.Join(p.work, "scratch"),
		"PAPERLESS_REDIS=redis://127.0.0.1:"+broker, "GRANIAN_HOST=127.0.0.1", "GRANIAN_PORT="+port, "GRANIAN_WORKERS=1")
	for _, args := range [][]string{
		{filepath.Join(p.dir, "bin/redis-server"), "--bind", "127.0.0.1", "--port", broker, "--dir", p.work},
		{filepath.Join(p.dir, "venv/bin/python3"), "manage.py", "document_consumer"},
		{filepath.Join(p.dir, "venv/bin/celery"), "--app", "paperless", "beat", "--loglevel", "INFO"},
		{filepath.Join(p.dir, "venv/bin/celery"), "--app", "paperless", "worker", "--loglevel", "INFO"},
		{filepath.Join(p.dir, "venv/bin/granian"), "--interface", "asginl", "--ws", "--loop", "uvloop", "paperless.asgi:application"},
	} {
		log, err := os.Create(filepath.Join(p.work, fmt.Sprintf("%d.log", len(p.processes))))
		if err != nil {
			return err
		}
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = filepath.Join(p.dir, "src"), env, log, log
		if err := errors.Join(cmd.Start(), log.Close()); err != nil {
			return err
		}
		p.processes = append(p.processes, cmd)
	}
	return servers.Wait(http.DefaultClient, p.base+"/api/")
}

// stop ends what was started last first: a worker wants its broker.
func (p *paperless) stop() (err error) {
	for len(p.processes) > 0 {
		last := len(p.processes) - 1
		cmd := p.processes[last]
		p.processes = p.processes[:last]
		if e := cmd.Process.Signal(syscall.SIGTERM); e != nil && !errors.Is(e, os.ErrProcessDone) {
			err = errors.Join(err, e)
		}
		kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // gone already is as good
		_ = cmd.Wait()                                                         // how it ends at a signal is its own affair
		kill.Stop()
	}
	return err
}

// send uploads the files and waits for each until its task is done.
func (p *paperless) send(ctx context.Context, files []string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.jobs)
	for _, file := range files {
		g.Go(func() error { return p.post(ctx, file) })
	}
	return g.Wait()
}

func (p *paperless) post(ctx context.Context, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("document", filepath.Base(file))
	if err != nil {
		return err
	}
	_, _ = part.Write(content) // into memory
	_ = form.Close()           // into memory
	var task string
	if err := p.call(ctx, http.MethodPost, "/api/documents/post_document/", form.FormDataContentType(), &body, &task); err != nil {
		return err
	}
	for {
		// Together not oftener than twice a second: the answer takes processor time too.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(p.jobs) * time.Second / 2):
		}
		var tasks struct {
			Results []struct {
				Status string          `json:"status"`
				Result json.RawMessage `json:"result_data"`
			} `json:"results"`
		}
		if err := p.call(ctx, http.MethodGet, "/api/tasks/?task_id="+task, "", nil, &tasks); err != nil {
			return err
		}
		for _, t := range tasks.Results {
			switch t.Status {
			case "success":
				return nil
			case "failure", "revoked":
				return fmt.Errorf("a document is not taken: %s", t.Result)
			}
		}
	}
}

// call asks the API and reads its answer into out.
func (p *paperless) call(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Token "+p.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %.200s", method, path, resp.Status, answer)
	}
	return json.Unmarshal(answer, out)
}
