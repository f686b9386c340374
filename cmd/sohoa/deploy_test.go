package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
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

// TestDeployMetrics: the dashboard and the alerts ask for metrics, labels and
// values of labels that a server shows once it has taken documents in, refused one
// and been without its store.
func TestDeployMetrics(t *testing.T) {
	shown := scraped(t)
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
	name := regexp.MustCompile(`\b((?:sohoa|process|go)_[a-z_]+)(?:{([^}]*)})?`)
	grouped, matcher := regexp.MustCompile(`\bby \(([^)]*)\)`), regexp.MustCompile(`([a-z]+)(=~?)"([^"]*)"`)
	for _, x := range asked {
		found := name.FindAllStringSubmatch(x, -1)
		if len(found) == 0 && !strings.Contains(x, "up{") {
			t.Errorf("%s asks for no metric of ours", x)
		}
		for _, m := range found {
			labels, ok := shown[m[1]]
			if !ok {
				t.Errorf("%s: the server shows no metric %s", x, m[1])
				continue
			}
			for _, g := range grouped.FindAllStringSubmatch(x, -1) {
				for label := range strings.SplitSeq(g[1], ", ") {
					if labels[label] == nil && label != "instance" { // that one is Prometheus's
						t.Errorf("%s: %s has no label %s", x, m[1], label)
					}
				}
			}
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				want := regexp.QuoteMeta(l[3])
				if l[2] == "=~" {
					want = l[3]
				}
				is := regexp.MustCompile("^(?:" + want + ")$").MatchString
				if l[1] != "job" && (labels[l[1]] == nil || !slices.ContainsFunc(shown[""][l[1]], is)) {
					t.Errorf("%s: %s has no label %s, or none is %s", x, m[1], l[1], l[3])
				}
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

// scraped returns what a server shows at /metrics after an upload, one that is
// refused, one that finds no store, a row of a backfill and a verification: the
// values of every label by the names of metric and label. Under "" stand those of
// all metrics: not every one has met each outcome.
func scraped(t *testing.T) map[string]map[string][]string {
	t.Helper()
	s := newSite(t)
	out, _ := s.run(0, "token", "create", "--role", "admin", "--unit", "H51", "--name", "metrics")
	admin := strings.TrimSpace(out)
	s.start()
	testdata := filepath.Join(testneed.Root(t), "testdata")
	submit := func(code, errand int, file string) {
		t.Helper()
		s.run(code, "submit", "--server", s.up.Base, "--token", s.token, "--dossier", errandCode(errand), "--kind", "component", filepath.Join(testdata, file))
	}
	submit(0, 0, "accept/scan-a5-colour.pdf")
	submit(3, 1, "reject/truncated/pdf-at-60-percent.pdf")
	s.file("manifest.csv", "kind,dossier,file\ncomponent,"+errandCode(2)+",accept/scan-a5-colour.pdf\n")
	s.run(0, "backfill", "manifest.csv", "--server", s.up.Base, "--token", s.token, "--root", testdata)
	s.run(0, "verify", "--deep")

	dossiers := filepath.Join(s.dir, "data", "archive", "dossiers")
	if err := errors.Join(os.Rename(dossiers, dossiers+"-away"), os.Symlink("dossiers", dossiers)); err != nil {
		t.Fatal(err)
	}
	call := func(method, path, token, file string) (int, string) {
		t.Helper()
		body := io.Reader(http.NoBody)
		if file != "" {
			f, err := os.Open(filepath.Join(testdata, file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			body = f
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.up.Base+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if code, said := call(http.MethodPut, "/api/v1/dossiers/"+errandCode(3)+"/documents?kind=component", s.token, "accept/scan-a5-colour.pdf"); code != http.StatusServiceUnavailable {
		t.Fatalf("without a store: %d %s", code, said)
	}
	code, text := call(http.MethodGet, "/metrics", admin, "")
	if code != http.StatusOK {
		t.Fatalf("/metrics: %d %s", code, text)
	}
	shown := map[string]map[string][]string{"": {}}
	label := regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)(?:{(.*)})? [^ ]+$`).FindAllStringSubmatch(text, -1) {
		if shown[m[1]] == nil {
			shown[m[1]] = map[string][]string{}
		}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			for _, of := range []string{"", m[1]} {
				shown[of][l[1]] = append(shown[of][l[1]], l[2])
			}
		}
	}
	return shown
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
