package backfill

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// OutcomeFile writes one line a row as CSV that spreadsheet programs open as it
// is: UTF-8 with a mark.
type OutcomeFile struct {
	w *csv.Writer
}

// NewOutcomeFile writes the header.
func NewOutcomeFile(w io.Writer) (*OutcomeFile, error) {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return nil, fmt.Errorf("backfill: outcome file: %w", err)
	}
	o := &OutcomeFile{csv.NewWriter(w)}
	return o, o.line("row", "file", "outcome", "document", "reason", "message_vi", "message_en")
}

// Write writes the row's line; it is with the operating system when it returns.
func (o *OutcomeFile) Write(r Result) error {
	return o.line(strconv.Itoa(r.Row), plain(r.File), string(r.Outcome), r.Document, r.Reason, plain(r.Text.VI), plain(r.Text.EN))
}

func (o *OutcomeFile) line(cells ...string) error {
	if err := o.w.Write(cells); err != nil {
		return err
	}
	o.w.Flush()
	return o.w.Error()
}

// plain keeps a spreadsheet program from taking a name for a formula.
func plain(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		return "'" + s
	}
	return s
}
