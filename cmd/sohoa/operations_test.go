//go:build machines

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sohoa/internal/testneed"
)

// TestOperations does what docs/operations.md says, word for word: it takes the
// blocks that name machines out of the page and runs them as root on these
// machines, each with systemd, files, users, processes and a network of its own.
// Three things are other than there: the packages are installed already, as no
// machine reaches the mirror; scp goes through a folder, as no machine has a server
// for it; and before "Upgrade" the release in /opt/sohoa is put there.
//
//	go test -tags machines -run TestOperations -v ./cmd/sohoa
func TestOperations(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := operationsSteps(string(page))
	if len(steps) < 20 {
		t.Fatalf("only %d blocks name a machine", len(steps))
	}
	testneed.Tool(t, "nginx", "apt-get install nginx-light")
	testneed.Tool(t, "openssl", "apt-get install openssl")
	testneed.Tool(t, "iptables", "apt-get install iptables")
	minio, mc := testneed.Tool(t, "minio", "make tools"), testneed.Tool(t, "mc", "make tools")
	before, after := buildRelease(t, "before"), buildRelease(t, "after")

	net := newLAN(t)
	numbers := map[string]int{"db1": 2, "s1": 3, "app1": 11, "app2": 12}
	hosts := "127.0.0.1 localhost\n"
	for name, n := range numbers {
		hosts += fmt.Sprintf("%s %s\n", net.address(n), name)
	}
	machines, shared := map[string]*machine{}, t.TempDir()
	for name, n := range numbers {
		net.attach(name, n)
		m := bootMachine(t, net, name, shared)
		machines[name] = m
		m.write("/etc/hosts", []byte(hosts), 0o644)
		m.write("/etc/apt/apt.conf.d/99test", []byte("APT::Get::Upgrade \"false\";\n"), 0o644)
		m.write("/usr/local/bin/scp", []byte(scp), 0o755)
		m.write("/opt/sohoa/sohoa", before, 0o755)
		for _, file := range []string{"sohoa.service", "nginx.conf", "sohoa-admin"} {
			m.write("/opt/sohoa/deploy/"+file, []byte(deployFile(t, file)), 0o644)
		}
	}
	scan, err := os.ReadFile(filepath.Join(testneed.Root(t), "testdata", "accept", "scan-a4-colour-linearised.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app1", "app2"} {
		machines[name].write("/root/scan.pdf", scan, 0o644)
	}
	for name, program := range map[string]string{"minio": minio, "mc": mc} {
		b, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		machines["s1"].write("/usr/local/bin/"+name, b, 0o755)
	}

	upgraded := false
	for _, s := range steps {
		if s.section == "Upgrade" && !upgraded {
			upgraded = true
			for _, m := range machines {
				m.write("/opt/sohoa/sohoa", after, 0o755)
			}
		}
		for _, name := range s.machines {
			m := machines[name]
			if m == nil {
				t.Fatalf("line %d: there is no machine %s", s.line, name)
			}
			start := time.Now()
			m.bash(s.text)
			t.Logf("line %d (%s) on %s: %v", s.line, s.section, name, time.Since(start).Round(time.Millisecond))
		}
	}
	if !upgraded {
		t.Error("nothing was upgraded")
	}
	for _, name := range []string{"app1", "app2"} {
		machines[name].bash("systemctl is-active sohoa nginx; sohoa --version | grep after; systemd-analyze security --threshold=60 sohoa.service")
	}
}

// operationsStep is a block of commands of the page.
type operationsStep struct {
	section  string
	line     int
	machines []string
	text     string
}

func operationsSteps(page string) (steps []operationsStep) {
	section := ""
	var open *operationsStep
	for i, line := range strings.SplitAfter(page, "\n") {
		words := strings.Fields(line)
		switch {
		case open != nil && strings.HasPrefix(line, "```"):
			steps, open = append(steps, *open), nil
		case open != nil:
			open.text += line
		case len(words) > 1 && words[0] == "```sh":
			open = &operationsStep{section: section, line: i + 1, machines: words[1:]}
		case strings.HasPrefix(line, "#"):
			section = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	return steps
}

func buildRelease(t *testing.T, version string) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sohoa")
	build := exec.Command("go", "build", "-ldflags", "-X main.release="+version, "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// machine is a host of the lan that runs systemd over a copy of this machine's
// files: what it changes is its own, and gone with it.
type machine struct {
	t    *testing.T
	name string
	init string // the process id of its systemd
}

// bootScript makes a machine's files below the folder $1 and becomes its systemd.
// Nothing of this machine's own services is enabled there.
const bootScript = `set -eu
hostname "$2"
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/changed" "$1/work" "$1/root"
cd "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/changed,workdir=$1/work" overlay "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do cp -a /dev/$device dev/; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr
mount -t tmpfs -o mode=700 tmpfs root
mount -t tmpfs -o mode=755 tmpfs usr/local/bin
mkdir lan
mount --bind "$3" lan
rm -rf etc/systemd/system/*.wants var/log/journal
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
echo "$2" >etc/hostname
container=sohoa-test exec chroot . /lib/systemd/systemd --system --log-target=journal --show-status=0 --unit=multi-user.target
`

func bootMachine(t *testing.T, l *lan, name, shared string) *machine {
	t.Helper()
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		testneed.Missing(t, "systemd", "apt-get install systemd")
	}
	dir := t.TempDir()
	line := l.on(name, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup", "bash", "-c", bootScript, "sh", dir, name, shared)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	group := controlGroup(t, l.prefix+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, UseCgroupFD: true, CgroupFD: int(group.Fd())}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // its systemd and all under it go with it
		_ = cmd.Wait()
	})
	m := &machine{t: t, name: name}
	for range 300 {
		if m.init == "" {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
			if err != nil {
				break
			}
			m.init = strings.TrimSpace(string(b))
		} else if comm, _ := os.ReadFile("/proc/" + m.init + "/comm"); string(comm) != "systemd\n" {
			// Until it is, its root is this machine's.
		} else if out, _ := m.command("systemctl", "is-system-running").Output(); slices.Contains([]string{"running", "degraded"}, strings.TrimSpace(string(out))) {
			return m
		}
		time.Sleep(100 * time.Millisecond)
	}
	said, _ := os.ReadFile(log.Name())
	testneed.Missing(t, "machines with systemd of their own", fmt.Sprintf("namespaces, overlayfs and cgroup2, as root; %s did not start: %s", name, said))
	return nil
}

// controlGroup makes a control group for a machine, which goes with the test.
func controlGroup(t *testing.T, name string) *os.File {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\S+ (\S+) cgroup2 `).FindSubmatch(mounts)
	if found == nil {
		testneed.Missing(t, "cgroup2", "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")
	}
	dir := filepath.Join(string(found[1]), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		testneed.Missing(t, "cgroup2", err.Error())
	}
	group, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		group.Close()
		// The kernel lets a group go a moment after its last process.
		var out []byte
		for range 100 {
			if out, err = exec.Command("find", dir, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").CombinedOutput(); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("remove the control group: %v %s", err, out)
	})
	return group
}

// command is a command as root on the machine.
func (m *machine) command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--target", m.init, "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--root", "env", "--chdir=/root"}, args...)...)
	cmd.Env = []string{"HOME=/root", "USER=root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (m *machine) path(name string) string { return filepath.Join("/proc", m.init, "root", name) }

func (m *machine) write(name string, b []byte, mode os.FileMode) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.path(name), b, mode); err != nil {
		m.t.Fatal(err)
	}
}

// bash runs commands as a person does who stops at the first that fails.
func (m *machine) bash(text string) {
	m.t.Helper()
	cmd := m.command("timeout", "120", "bash", "-euo", "pipefail")
	cmd.Stdin = strings.NewReader(receive + text)
	if out, err := cmd.CombinedOutput(); err != nil {
		journal, _ := m.command("journalctl", "--no-pager", "-n", "60").CombinedOutput()
		m.t.Fatalf("on %s: %v\n%s\n--- said\n%s\n--- journal\n%s", m.name, err, text, out, journal)
	}
}

// Files go from machine to machine by the folder /lan, which all have: scp puts
// them there, and each takes its own before the next block.
const (
	scp     = "#!/bin/bash\nmkdir -p \"/lan/${!#}\" && cp \"${@:1:$#-1}\" \"/lan/${!#}\"\n"
	receive = "[ ! -d /lan/$HOSTNAME: ] || cp -r /lan/$HOSTNAME:/. /\n"
)
