// Package program runs sohoa as others do, in processes of its own: for
// measurements and tests.
package program

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
	"strings"
	"syscall"
	"time"
)

// Program is sohoa with what every one of its commands is told.
type Program struct {
	Path   string
	Dir    string    // where it runs; empty: here
	Env    []string  // the whole environment; nil: ours
	Stderr io.Writer // of the server
}

// At is the program in the file, with its data in a folder and ours as the rest of
// its environment, to which more is added.
func At(file, data string, more ...string) (Program, error) {
	path, err := filepath.Abs(file)
	return Program{Path: path, Stderr: os.Stderr,
		Env: append(append(os.Environ(), "SOHOA_DATA="+data, "SOHOA_LOG_LEVEL=error"), more...)}, err
}

// Command is a command that has not been started.
func (p Program) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(p.Path, args...)
	cmd.Dir, cmd.Env = p.Dir, p.Env
	return cmd
}

// Run runs a command to its good end and returns what it prints.
func (p Program) Run(args ...string) (string, error) {
	var said bytes.Buffer
	cmd := p.Command(args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("sohoa %s: %w: %s", args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// Found makes an office of one unit, H51, and returns an operator's token.
func (p Program) Found() (token string, err error) {
	dir, err := os.MkdirTemp("", "sohoa-units-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	units := filepath.Join(dir, "units.csv")
	if err := os.WriteFile(units, []byte("code,name,level,parent,valid_from,valid_to,successor\nH51,Tỉnh Sóc Trăng,province,,,,\n"), 0o600); err != nil {
		return "", err
	}
	if _, err := p.Run("import", "units", units); err != nil {
		return "", err
	}
	return p.Run("token", "create", "--role", "operator", "--unit", "H51")
}

// Server is a server that runs.
type Server struct {
	Base string // http://host:port
	cmd  *exec.Cmd
	done bool
}

// Serve starts a server and returns when it is ready: on a port of its choice
// unless the arguments say otherwise. It ends with this process.
func (p Program) Serve(args ...string) (*Server, error) {
	s := &Server{cmd: p.Command(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)}
	s.cmd.Stderr = p.Stderr
	s.cmd.SysProcAttr = dieWithUs()
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for s.Base == "" && lines.Scan() {
		if _, addr, ok := strings.Cut(lines.Text(), "serves at "); ok {
			s.Base = addr
		}
	}
	if s.Base == "" {
		if err := s.cmd.Wait(); err != nil {
			return nil, fmt.Errorf("the server does not start: %w", err)
		}
		return nil, errors.New("the server ended at once")
	}
	go io.Copy(io.Discard, out)
	if err := s.ready(); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// ready waits, for at most a minute, until the server says that it is ready.
func (s *Server) ready() error {
	last := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get(s.Base + "/readyz")
		if err != nil {
			last = err.Error()
			continue
		}
		resp.Body.Close()
		if last = resp.Status; resp.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("the server did not become ready: %s", last)
}

// Pid is the server's process.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Stop lets the server end in good order; once it has ended it does nothing.
func (s *Server) Stop() error {
	if s.done {
		return nil
	}
	s.done = true
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the server did not end well: %w", err)
	}
	return nil
}

// Kill is SIGKILL.
func (s *Server) Kill() {
	if !s.done {
		s.done = true
		_ = s.cmd.Process.Kill() // gone already is as good
		_ = s.cmd.Wait()         // killed
	}
}
