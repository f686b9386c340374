package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"sohoa/cmd/sohoa/province"
	"sohoa/dossier"
	"sohoa/pipeline/register"
	"sohoa/tally"
)

func newDemoCommand(a *app) *cobra.Command {
	var files, listen string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "The main job on a sample province: serve, load, submit, report",
		Long: `demo starts a server on --data, loads a sample province, submits the sample files
through the HTTP door, prints a verdict a file, the table of units and the
appendix, and leaves the server running. With DEMO_EXIT=1, or without a terminal,
it stops the server at the end.

Exit 0 when every verdict is the expected one, 1 when one is not.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &demo{app: a, files: files, listen: listen}
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&files, "files", "testdata", "folder with accept/ and reject/<reason>/")
	cmd.Flags().StringVar(&listen, "demo-listen", "127.0.0.1:8080", "address of the server; taken, another port is used")
	return cmd
}

type demo struct {
	*app
	files, listen string
}

// The period of the letter: Sóc Trăng to August 2024.
var letterPeriod = dossier.Period{From: 20240101, To: 20240901}

func (d *demo) run(ctx context.Context) error {
	plan, p, err := d.plan()
	if err != nil {
		return err
	}
	stay := terminal(d.stdout) && os.Getenv("DEMO_EXIT") != "1"
	base, stop, err := d.startServer(ctx)
	if err != nil {
		return err
	}
	defer stop()
	d.say("Máy chủ / server: %s", base)
	secret, err := d.load(ctx, p)
	if err != nil {
		return err
	}
	surprises, err := d.submitAll(ctx, base, secret, plan)
	if err != nil {
		return err
	}
	if err := d.report(ctx); err != nil {
		return err
	}
	d.say("")
	if len(surprises) > 0 {
		for _, s := range surprises {
			fmt.Fprintln(d.stderr, s)
		}
		return fmt.Errorf("%d of %d verdicts are not the expected ones", len(surprises), len(plan))
	}
	d.say("%d tệp: mọi kết luận đúng như mong đợi / every verdict as expected", len(plan))
	d.say("Mã truy cập API / API token: %s", secret)
	d.say("  curl -H 'Authorization: Bearer %s' '%s/api/v1/report?from=2024-01-01&to=2024-09-01'", secret, base)
	if err := d.login(ctx); err != nil {
		return err
	}
	if !stay {
		return stop()
	}
	d.say("Máy chủ đang chạy tại / the server is running at %s — Ctrl-C để dừng / to stop", base)
	<-ctx.Done()
	return stop()
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.stdout, format+"\n", args...) }

func (d *demo) plan() ([]province.Submission, province.Province, error) {
	p := province.Sample()
	accept, err := filepath.Glob(filepath.Join(d.files, "accept", "*"))
	if err != nil {
		return nil, p, err
	}
	reject, err := filepath.Glob(filepath.Join(d.files, "reject", "*", "*"))
	if err != nil {
		return nil, p, err
	}
	if len(accept) == 0 || len(reject) == 0 {
		return nil, p, usage("--files %s: no accept/ and reject/ there; run the demo from the project's folder", d.files)
	}
	plan, err := p.Plan(accept, reject)
	return plan, p, err
}

// startServer runs this program's serve as a process of its own, as an office
// would, and returns its address. stop ends it and says whether it ended well.
func (d *demo) startServer(ctx context.Context) (base string, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	for _, listen := range []string{d.listen, "127.0.0.1:0"} {
		cmd := exec.Command(self, "serve", "--data", d.data, "--listen", listen, "--log-level", "warn")
		cmd.Stderr = d.stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return "", nil, err
		}
		if err := cmd.Start(); err != nil {
			return "", nil, err
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, addr, ok := strings.Cut(lines.Text(), "serves at "); ok {
				go io.Copy(io.Discard, out)
				return addr, stopper(cmd), nil
			}
		}
		// Most likely the port is taken; the server has said so.
		if err := cmd.Wait(); err == nil {
			return "", nil, errors.New("the server ended at once")
		}
		if ctx.Err() != nil {
			return "", nil, ctx.Err()
		}
	}
	return "", nil, errors.New("the server does not start")
}

func stopper(cmd *exec.Cmd) func() error {
	var done bool
	return func() error {
		if done {
			return nil
		}
		done = true
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("the server did not end well: %w", err)
		}
		return nil
	}
}

// load brings the sample province in and returns an API token for it.
func (d *demo) load(ctx context.Context, p province.Province) (secret string, err error) {
	h, err := d.open(ctx)
	if err != nil {
		return "", err
	}
	defer h.Close()
	dir, err := os.MkdirTemp("", "sohoa-demo-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	paths, err := register.WriteFiles(dir, register.Files{Units: p.Units, Procedures: p.Procedures,
		Dossiers: p.Dossiers, Results: p.Results, Indicators: p.Indicators})
	if err != nil {
		return "", err
	}
	for _, kind := range register.Kinds() {
		path, ok := paths[kind]
		if !ok {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		sum, bad, err := h.importRegister(ctx, kind, filepath.Base(path), f)
		f.Close()
		if err != nil {
			return "", err
		}
		if len(bad) > 0 {
			return "", fmt.Errorf("the sample province's %s: %w", kind, &bad[0])
		}
		d.say("  %-11s %4d dòng/rows: %d mới/new, %d như cũ/same", kind, sum.Rows, sum.New, sum.Same)
	}
	secret, _, err = h.ledger.CreateToken(ctx, dossier.Token{Name: "demo", Role: dossier.Operator, Unit: province.Root,
		Expires: d.now().AddDate(0, 0, 7)})
	return secret, err
}

// submitAll sends every file through the HTTP door and returns what did not come
// out as expected.
func (d *demo) submitAll(ctx context.Context, base, secret string, plan []province.Submission) (surprises []string, err error) {
	c, err := newClient(base, secret)
	if err != nil {
		return nil, err
	}
	bar := newBar(d.stderr, len(plan), "gửi / submit")
	var lines []string
	start := d.now()
	for _, s := range plan {
		slip := dossier.Slip{Dossier: s.Dossier, Kind: s.Kind, Paper: s.Paper, Name: s.Name, OwnerID: s.Owner}
		v, err := c.send(ctx, slip, s.File)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.File, err)
		}
		bar.Add(1)
		lines = append(lines, v.line())
		switch {
		case s.Expect == "" && !v.stored():
			surprises = append(surprises, fmt.Sprintf("%s: expected stored, got %q (%s)", s.File, v.Reason, v.Text.EN))
		case s.Expect != "" && v.Reason != s.Expect:
			surprises = append(surprises, fmt.Sprintf("%s: expected %s, got %q (%s)", s.File, s.Expect, v.Reason, v.Text.EN))
		}
	}
	bar.Finish()
	for _, l := range lines {
		d.say("%s", l)
	}
	d.say("%d tệp trong %s / files", len(plan), d.now().Sub(start).Round(10*time.Millisecond))
	return surprises, d.reuse(ctx, c, plan[len(plan)-1].Dossier)
}

// reuse is the applicant's second visit: nothing is scanned, the paper of the
// first is linked to the second dossier.
func (d *demo) reuse(ctx context.Context, c *client, code dossier.Code) error {
	papers, err := c.reusable(ctx, province.Applicant)
	if err != nil {
		return err
	}
	if len(papers) == 0 {
		return errors.New("no paper of the sample applicant is offered for reuse")
	}
	p := papers[len(papers)-1] // the first there was
	st, err := c.Submit(ctx, dossier.Slip{Dossier: code, Kind: p.Kind, OwnerID: province.Applicant, Reuses: p.ID}, nil, 0)
	if err != nil {
		return err
	}
	if st.State != dossier.Stored {
		return fmt.Errorf("the reused paper is %s", st.State)
	}
	d.say("↺ %s: dùng lại giấy tờ đã số hóa, không quét lại / reused, not scanned again → %s", p.Name, code)
	return nil
}

// report prints the table of units and the appendix.
func (d *demo) report(ctx context.Context) error {
	h, err := d.openLedger(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	q := tally.Query{Unit: province.Root, Period: letterPeriod, AsOf: letterPeriod.To.AddDays(-1)}
	for _, appendix := range []bool{false, true} {
		d.say("")
		r, err := h.figures(ctx, q, reportKind{appendix: appendix})
		if err != nil {
			return err
		}
		if err := r.Text(d.stdout, "vi"); err != nil {
			return err
		}
	}
	return nil
}

// newBar shows progress where a person watches, and is silent elsewhere.
func newBar(w io.Writer, n int, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions(n,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetVisibility(terminal(w)),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("tệp"),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(30))
}

// demoPassword opens the demo's accounts and nothing else: no other command
// makes an account whose password is known beforehand.
const demoPassword = "trinh-dien-so-hoa"

// login makes an account for each kind of person, once.
func (d *demo) login(ctx context.Context) error {
	h, err := d.openLedger(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	for login, role := range map[string]dossier.Role{"canbo": dossier.Clerk, "lanhdao": dossier.Manager} {
		err := h.createAccount(ctx, dossier.Account{Login: login, Role: role, Unit: province.Root}, demoPassword)
		if err != nil && !errors.Is(err, dossier.ErrLoginTaken) {
			return err
		}
	}
	d.say("Đăng nhập / sign in: canbo (cán bộ), lanhdao (lãnh đạo) — mật khẩu / password: %s", demoPassword)
	return nil
}
