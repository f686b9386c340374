package main

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"sohoa/internal/testneed"
)

func deployFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testneed.Root(t), "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDeployMetrics: every metric that the dashboard and the alerts ask for is one
// that the program has.
func TestDeployMetrics(t *testing.T) {
	have := map[string]bool{}
	quoted := regexp.MustCompile(`"(sohoa_[a-z_]+)"`)
	for _, dir := range []string{"cmd", "web", "pipeline", "storage"} {
		if err := filepath.WalkDir(filepath.Join(testneed.Root(t), dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			for _, m := range quoted.FindAllStringSubmatch(string(b), -1) {
				have[m[1]] = true
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(have) < 8 {
		t.Fatalf("only %v were found", have)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(deployFile(t, "grafana-dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(deployFile(t, "alerts.yml")), &rules); err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, x := range p.Targets {
			asked = append(asked, x.Expr)
		}
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["action"] == "" {
				t.Errorf("alert %s lacks severity, summary or what to do", r.Alert)
			}
			asked = append(asked, r.Expr)
		}
	}
	if len(asked) < 20 {
		t.Fatalf("only %d questions", len(asked))
	}
	name := regexp.MustCompile(`\b(sohoa|process|go)_[a-z_]+`)
	for _, x := range asked {
		found := name.FindAllString(x, -1)
		if len(found) == 0 && !strings.Contains(x, "up{") {
			t.Errorf("%s asks for no metric of ours", x)
		}
		for _, m := range found {
			base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(m, "")
			if strings.HasPrefix(m, "sohoa_") && !have[m] && !have[base] || !strings.HasPrefix(m, "sohoa_") && m != "process_resident_memory_bytes" {
				t.Errorf("%s: there is no metric %s", x, m)
			}
		}
	}

	promtool := testneed.Tool(t, "promtool", "make tools, or Debian's package prometheus")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"check", "config", "--syntax-only", "prometheus.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = filepath.Join(testneed.Root(t), "deploy")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	// Every question of the dashboard, as rules that promtool reads.
	var all strings.Builder
	all.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for _, p := range dashboard.Panels {
		for _, x := range p.Targets {
			expr, err := json.Marshal(x.Expr)
			if err != nil {
				t.Fatal(err)
			}
			all.WriteString("  - record: dashboard\n    expr: " + string(expr) + "\n    labels: {panel: " + regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(strings.ToLower(p.Title+x.Expr), "") + "}\n")
		}
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("the dashboard's questions: %v\n%s", err, out)
	}
}

// TestDeployUnits: systemd reads the units without a complaint.
func TestDeployUnits(t *testing.T) {
	analyze := testneed.Tool(t, "systemd-analyze", "apt-get install systemd")
	dir := t.TempDir()
	for _, name := range []string{"sohoa.service", "sohoa-work.service"} {
		unit := deployFile(t, name)
		checkCommandLine(t, name, regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/sohoa (.*)$`).FindStringSubmatch(unit)[1])
		// The program is not where it would be; anything that runs will do.
		unit = strings.ReplaceAll(unit, "/usr/local/bin/sohoa", "/bin/true")
		if err := os.WriteFile(filepath.Join(dir, name), []byte(unit), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", "--man=no", filepath.Join(dir, name)).CombinedOutput()
		if err != nil || strings.Contains(string(out), name) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestDeployCompose: the compose file and the container file name commands and
// settings that the program has, and images by version.
func TestDeployCompose(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Environment map[string]string
			DependsOn   map[string]any `yaml:"depends_on"`
			Volumes     []string
		}
	}
	if err := yaml.Unmarshal([]byte(deployFile(t, "compose.yaml")), &compose); err != nil {
		t.Fatal(err)
	}
	ours := 0
	for name, s := range compose.Services {
		if s.Image == "sohoa" {
			ours++
			checkCommandLine(t, name, strings.Join(s.Command, " "))
			for k := range s.Environment {
				if flag, ok := strings.CutPrefix(k, "SOHOA_"); ok {
					checkCommandLine(t, name, s.Command[0]+" --"+strings.ReplaceAll(strings.ToLower(flag), "_", "-")+"=x")
				}
			}
		} else if !regexp.MustCompile(`:v?\d+(\.\d+)*$`).MatchString(s.Image) {
			t.Errorf("%s: image %q has no version", name, s.Image)
		}
		for on := range s.DependsOn {
			if _, ok := compose.Services[on]; !ok {
				t.Errorf("%s depends on %s, which there is not", name, on)
			}
		}
		for _, v := range s.Volumes {
			if file, ok := strings.CutPrefix(strings.Split(v, ":")[0], "./"); ok && file != "metrics.token" {
				deployFile(t, file)
			}
		}
	}
	if ours != 3 {
		t.Errorf("%d services are ours", ours)
	}
	cmd := regexp.MustCompile(`(?m)^CMD (\[.*\])$`).FindStringSubmatch(deployFile(t, "Containerfile"))
	var args []string
	if cmd == nil || json.Unmarshal([]byte(cmd[1]), &args) != nil {
		t.Fatalf("the container file's CMD: %v", cmd)
	}
	checkCommandLine(t, "Containerfile", strings.Join(args, " "))
}

// checkCommandLine sees that the program has the command and its flags.
func checkCommandLine(t *testing.T, where, line string) {
	t.Helper()
	root := newRootCommand(&app{stdout: io.Discard, stderr: io.Discard})
	cmd, rest, err := root.Find(strings.Fields(line))
	if err != nil || cmd == root {
		t.Errorf("%s: no command %q: %v", where, line, err)
		return
	}
	flags := pflag.NewFlagSet(where, pflag.ContinueOnError)
	flags.AddFlagSet(cmd.Flags())
	flags.AddFlagSet(root.PersistentFlags())
	for i := slices.IndexFunc(rest, func(s string) bool { return strings.HasPrefix(s, "--") }); i >= 0 && i < len(rest); i++ {
		if name, ok := strings.CutPrefix(strings.Split(rest[i], "=")[0], "--"); ok && flags.Lookup(name) == nil {
			t.Errorf("%s: %s has no flag --%s", where, cmd.Name(), name)
		}
	}
}
