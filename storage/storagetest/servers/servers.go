// Package servers starts the real S3 servers that the tests run against, MinIO
// and versitygw, on free loopback ports: one process of each for a test binary,
// which ends with it.
package servers

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sohoa/internal/testneed"
)

// The root credentials of the servers.
const (
	AccessKey = "sohoa-test"
	SecretKey = "sohoa-test-secret"
)

const (
	how = "run `make tools`, which runs scripts/test-servers.sh"
)

// MinIO returns the address and the root credentials of a running MinIO.
func MinIO(t testing.TB) (endpoint, access, secret string) {
	t.Helper()
	program := testneed.Tool(t, "minio", how)
	addr, err := minioServer.start(func(dir, port string) (*exec.Cmd, *http.Client, error) {
		return MinIOCommand(program, dir, "127.0.0.1:"+port), http.DefaultClient, nil
	}, "http", "/minio/health/live")
	if err != nil {
		t.Fatalf("starting minio: %v", err)
	}
	return "http://" + addr, AccessKey, SecretKey
}

// MinIOTLS returns the address, https://localhost:port, and the root credentials
// of a MinIO that speaks TLS with a certificate of an authority of its own, whose
// certificate is in the file ca.
func MinIOTLS(t testing.TB) (endpoint, access, secret, ca string) {
	t.Helper()
	program := testneed.Tool(t, "minio", how)
	addr, err := minioTLSServer.start(func(dir, port string) (*exec.Cmd, *http.Client, error) {
		certs := filepath.Join(dir, "certs")
		pool, err := makeCertificates(certs)
		if err != nil {
			return nil, nil, err
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}}
		return MinIOCommand(program, dir, "127.0.0.1:"+port, "--certs-dir", certs), client, nil
	}, "https", "/minio/health/live")
	if err != nil {
		t.Fatalf("starting minio with TLS: %v", err)
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return "https://localhost:" + port, AccessKey, SecretKey, filepath.Join(minioTLSServer.dir, "certs", "ca.pem")
}

// Versity returns the address and the root credentials of a running versitygw.
func Versity(t testing.TB) (endpoint, access, secret string) {
	t.Helper()
	program := testneed.Tool(t, "versitygw", how)
	addr, err := versityServer.start(func(dir, port string) (*exec.Cmd, *http.Client, error) {
		cmd := exec.Command(program, "--port", "127.0.0.1:"+port, "--access", AccessKey, "--secret", SecretKey,
			"--quiet", "--keep-alive", "--health", "/health", "posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
		cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
		return cmd, http.DefaultClient, nil
	}, "http", "/health")
	if err != nil {
		t.Fatalf("starting versitygw: %v", err)
	}
	return "http://" + addr, AccessKey, SecretKey
}

// Rclone is the environment in which rclone calls a server "kho". Nothing of our
// own goes with it, where settings for other clients may stand.
func Rclone(home, endpoint, access, secret string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "RCLONE_CONFIG=" + filepath.Join(home, "none.conf"),
		"RCLONE_CONFIG_KHO_TYPE=s3", "RCLONE_CONFIG_KHO_PROVIDER=Minio",
		"RCLONE_CONFIG_KHO_ENDPOINT=" + endpoint, "RCLONE_CONFIG_KHO_REGION=us-east-1",
		"RCLONE_CONFIG_KHO_ACCESS_KEY_ID=" + access, "RCLONE_CONFIG_KHO_SECRET_ACCESS_KEY=" + secret}
}

// MinIOCommand is the command of a MinIO server that keeps its data below dir,
// with a key for server-side encryption. Further arguments go before the folder.
func MinIOCommand(program, dir, addr string, args ...string) *exec.Cmd {
	args = append([]string{"server", "--quiet", "--anonymous", "--address", addr, "--console-address", "127.0.0.1:0"}, args...)
	cmd := exec.Command(program, append(args, filepath.Join(dir, "data"))...)
	cmd.Env = []string{
		"HOME=" + dir,
		"PATH=" + os.Getenv("PATH"),
		"MINIO_ROOT_USER=" + AccessKey,
		"MINIO_ROOT_PASSWORD=" + SecretKey,
		"MINIO_BROWSER=off",
		"MINIO_UPDATE=off",
		"MINIO_CI_CD=1", // or it refuses a folder on the system's disk
		"MINIO_DOMAIN=localhost",
		"MINIO_KMS_SECRET_KEY=sohoa-test-key:" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
	}
	return cmd
}

var (
	minioServer    process
	minioTLSServer process
	versityServer  process
)

// process is a server shared by the tests of a binary.
type process struct {
	once sync.Once
	addr string
	dir  string
	stop func() // never called; holding it keeps the pipe of Guard open
	err  error
}

type command func(dir, port string) (*exec.Cmd, *http.Client, error)

func (p *process) start(cmd command, scheme, health string) (string, error) {
	p.once.Do(func() {
		if p.dir, p.err = os.MkdirTemp("", "sohoa-server-*"); p.err != nil {
			return
		}
		// Between finding a free port and the server taking it someone else may.
		for range 3 {
			if p.addr, p.stop, p.err = launch(cmd, p.dir, scheme, health); p.err == nil {
				return
			}
		}
		p.err = errors.Join(p.err, os.RemoveAll(p.dir))
	})
	return p.addr, p.err
}

func launch(command command, dir, scheme, health string) (string, func(), error) {
	for _, sub := range []string{"data", "versions"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return "", nil, err
		}
	}
	port, err := FreePort()
	if err != nil {
		return "", nil, err
	}
	cmd, client, err := command(dir, port)
	if err != nil {
		return "", nil, err
	}
	log := filepath.Join(dir, "log")
	stop, err := Guard(cmd, dir, log)
	if err != nil {
		return "", nil, err
	}
	addr := "127.0.0.1:" + port
	if err := Wait(client, scheme+"://"+addr+health); err != nil {
		out, rerr := os.ReadFile(log)
		stop()
		return "", nil, errors.Join(fmt.Errorf("%w; it said: %s", err, out), rerr)
	}
	return addr, stop, nil
}

// Guard starts the command so that it ends when this process does, however that
// ends, and then its folder is removed: a shell waits for the end of its
// standard input, which is a pipe that nobody but us holds open. stop does the
// same at once.
func Guard(cmd *exec.Cmd, dir, log string) (stop func(), err error) {
	// Signals to the whole group, such as the interrupt key's, are for the tests;
	// their end is what this waits for.
	const script = `trap '' INT TERM HUP
log=$1; dir=$2; shift 2
"$@" >"$log" 2>&1 </dev/null &
pid=$!
cat >/dev/null
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
rm -rf "$dir"`
	shell := exec.Command("sh", append([]string{"-c", script, "sh", log, dir}, cmd.Args...)...)
	shell.Env = cmd.Env
	in, err := shell.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := shell.Start(); err != nil {
		return nil, err
	}
	var once sync.Once
	return func() {
		once.Do(func() {
			_ = in.Close()
			_ = shell.Wait() // its exit code is rm's
		})
	}, nil
}

// Ports that are given out lie below those that the system gives to whoever asks
// for any, connections included: one of those may be given to somebody between our
// finding it and the server's taking it, or while the server is down, and who then
// calls the server may be connected with himself. Each process gives out blocks of
// its own; it has a block as long as it listens on its first port.
const (
	firstPort = 12000
	lastPort  = 32000
	portBlock = 100
)

var ports struct {
	mu         sync.Mutex
	blocks     []net.Listener // held as long as the process lives: what a block gave out is in use
	next, last int
}

// FreePort finds a loopback port that is free, and that nobody else is given as
// long as this process lives.
func FreePort() (string, error) {
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for {
		for ; ports.next < ports.last; ports.next++ {
			if l, err := net.Listen("tcp", loopback(ports.next)); err == nil {
				ports.next++
				_, port, err := net.SplitHostPort(l.Addr().String())
				return port, errors.Join(err, l.Close())
			}
		}
		if err := nextBlock(); err != nil {
			return "", err
		}
	}
}

// nextBlock takes a block that no process has, nor had this one.
func nextBlock() error {
	const blocks = (lastPort - firstPort) / portBlock
	var err error
	for i := range blocks {
		first := firstPort + (os.Getpid()+i)%blocks*portBlock
		var l net.Listener
		if l, err = net.Listen("tcp", loopback(first)); err == nil {
			ports.blocks = append(ports.blocks, l)
			ports.next, ports.last = first+1, first+portBlock
			return nil
		}
	}
	return fmt.Errorf("no ports are left: %w", err)
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// Wait asks the address until it answers below 500, for at most a minute.
func Wait(c *http.Client, url string) error {
	var last error
	for range 600 {
		resp, err := c.Get(url)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode < 500 {
				return nil
			}
			err = fmt.Errorf("it answers %s", strings.TrimSpace(resp.Status))
		}
		last = err
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the server did not come up: %w", last)
}
