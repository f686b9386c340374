package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sohoa/dossier"
	"sohoa/pipeline/pdf"
)

// inspection is what `inspect --json` prints, one object a line.
type inspection struct {
	File       string              `json:"file"`
	Outcome    string              `json:"outcome"` // accepted, rejected
	Reason     *dossier.Reason     `json:"reason"`
	MessageVI  string              `json:"message_vi"`
	MessageEN  string              `json:"message_en"`
	Pages      int                 `json:"pages"`
	Scan       bool                `json:"scan"`
	MinDPI     *int                `json:"min_dpi"`
	Signed     bool                `json:"signed"`
	Signatures []dossier.Signature `json:"signatures"`
	LegalValue bool                `json:"legal_value"`
	Archive    dossier.Conformance `json:"archive"`
	Findings   []dossier.Finding   `json:"findings"`
}

func newInspectCommand(a *app) *cobra.Command {
	var asJSON, thorough bool
	var profile string
	kind := string(dossier.Component)
	cmd := &cobra.Command{
		Use:   "inspect FILE…",
		Short: "The verdict on a scan, without a server",
		Long: `inspect gives the verdict that the server would give, by the same code, and
writes nothing. Exit 0 when every file is good, 3 when some are rejected.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := dossier.ProfileFor(dossier.DateOf(a.now()), a.profiles...)
			if profile != "" {
				var ok bool
				if p, ok = dossier.ProfileNamed(profile, a.profiles...); !ok {
					return usage("--profile: there is no profile %q", profile)
				}
			}
			q := pdf.Question{Kind: dossier.Kind(kind), Profile: p, Thorough: thorough, DefaultDPI: a.dpi, At: a.now()}
			return a.inspect(cmd.Context(), args, q, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().BoolVar(&thorough, "thorough", false, "decode every image in full")
	cmd.Flags().StringVar(&profile, "profile", "", "scan rules to judge by (default: those in force today)")
	cmd.Flags().Var(choice{&kind, []string{"component", "result", "result-in-force"}}, "kind", "judge the file as this")
	return cmd
}

func (a *app) inspect(ctx context.Context, files []string, q pdf.Question, asJSON bool) error {
	log, err := a.log()
	if err != nil {
		return err
	}
	judge, err := a.openJudge(log, 0)
	if err != nil {
		return err
	}
	defer judge.Close()
	scratch, err := os.MkdirTemp("", "sohoa-inspect-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	rejected, missing := 0, 0
	for _, file := range files {
		if st, err := os.Stat(file); err != nil || st.IsDir() {
			fmt.Fprintf(a.stderr, "sohoa: %s: cannot be read as a file\n", file)
			missing++
			continue
		}
		found, err := inspectFile(ctx, judge, file, q, filepath.Join(scratch, "copy.pdf"))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if found.Reason != nil {
			rejected++
		}
		if asJSON {
			if err := enc.Encode(found); err != nil {
				return err
			}
			continue
		}
		printInspection(a, found)
	}
	switch {
	case missing > 0:
		return usage("%d of %d files cannot be read", missing, len(files))
	case rejected > 0:
		return &exitError{code: exitRejected}
	}
	return nil
}

func inspectFile(ctx context.Context, judge *pdf.Pool, file string, q pdf.Question, out string) (inspection, error) {
	found := inspection{File: file, Outcome: "accepted", Archive: dossier.AsOriginal,
		MessageVI: "Tệp tốt.", MessageEN: "The file is good.",
		Signatures: []dossier.Signature{}, Findings: []dossier.Finding{}}
	s, err := judge.Open(ctx, file)
	if err != nil {
		return found, err
	}
	defer s.Close()
	defer os.Remove(out)
	verdict, err := s.Inspect(ctx, q)
	var made pdf.Copy
	if err == nil && !verdict.Signed {
		made, err = s.Normalise(ctx, out, pdf.Label{Title: filepath.Base(file)})
	}
	if rej := (*dossier.Rejection)(nil); errors.As(err, &rej) {
		text := rej.Text()
		found.Outcome, found.Reason, found.MessageVI, found.MessageEN = "rejected", &rej.Reason, text.VI, text.EN
		return found, nil
	}
	if err != nil {
		return found, err
	}
	found.Pages, found.Scan, found.Signed, found.LegalValue = verdict.Pages, verdict.Scan, verdict.Signed, verdict.LegalValue
	if verdict.MinDPI > 0 {
		found.MinDPI = &verdict.MinDPI
	}
	if made.Conforms != "" {
		found.Archive = made.Conforms
	}
	found.Signatures = append(found.Signatures, verdict.Signatures...)
	found.Findings = append(append(found.Findings, verdict.Findings...), made.Findings...)
	return found, nil
}

func printInspection(a *app, f inspection) {
	if f.Reason != nil {
		fmt.Fprintf(a.stdout, "✘ %s  %s\n    %s\n    %s\n", f.File, *f.Reason, f.MessageVI, f.MessageEN)
		return
	}
	facts := []string{fmt.Sprintf("%d trang/pages", f.Pages)}
	if f.MinDPI != nil {
		facts = append(facts, fmt.Sprintf("%d dpi", *f.MinDPI))
	}
	facts = append(facts, string(f.Archive))
	if f.Signed {
		signed := "ký số/signed"
		if f.LegalValue {
			signed += ", có giá trị pháp lý/of legal value"
		}
		facts = append(facts, signed)
	}
	fmt.Fprintf(a.stdout, "✔ %s  %s\n", f.File, strings.Join(facts, ", "))
	for _, g := range f.Findings {
		at := ""
		if g.Page > 0 {
			at = fmt.Sprintf("trang/page %d: ", g.Page)
		}
		fmt.Fprintf(a.stdout, "    ⚑ %s%s %s\n", at, g.Flag.Text().VI, g.Detail.VI)
	}
}
