package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sohoa/dossier"
)

// verdict is what a door answered about one file.
type verdict struct {
	File   string
	Status int // of the HTTP door; 0 where there was none
	ID     string
	Record *dossier.Record
	Again  bool
	Reason dossier.Reason // where it was rejected
	Text   dossier.Text   // what went wrong and what to do, where something did
}

func (v verdict) stored() bool { return v.Record != nil }

// line is the verdict on one line for people.
func (v verdict) line() string {
	name := filepath.Base(v.File)
	switch {
	case v.stored():
		facts := []string{fmt.Sprintf("%d trang", v.Record.Verdict.Pages)}
		if d := v.Record.Verdict.MinDPI; d > 0 {
			facts = append(facts, fmt.Sprintf("%d dpi", d))
		}
		facts = append(facts, string(v.Record.Conforms))
		if v.Record.Verdict.LegalValue {
			facts = append(facts, "ký số, có giá trị pháp lý")
		} else if v.Record.Verdict.Signed {
			facts = append(facts, "ký số")
		}
		if v.Again {
			facts = append(facts, "đã có từ trước")
		}
		s := fmt.Sprintf("✔ %-34s %s  %s", name, strings.Join(facts, ", "), v.ID)
		for _, f := range v.Record.Verdict.Findings {
			s += "\n    ⚑ " + f.Flag.Text().VI
			if f.Page > 0 {
				s += fmt.Sprintf(" (trang %d)", f.Page)
			}
		}
		return s
	case v.Reason != "":
		return fmt.Sprintf("✘ %-34s %s\n    %s", name, v.Reason, v.Text.VI)
	default:
		return fmt.Sprintf("… %-34s %s", name, v.Text.VI)
	}
}

// client sends documents through the HTTP door.
type client struct {
	base  string
	token string
	http  *http.Client
}

func newClient(base, token string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, usage("--server: not a URL such as http://127.0.0.1:8080")
	}
	return &client{strings.TrimRight(base, "/"), token, &http.Client{Timeout: 10 * time.Minute}}, nil
}

// send puts one file and waits for its verdict, asking again as long as the
// server says that it is still at work.
func (c *client) send(ctx context.Context, slip dossier.Slip, file string) (verdict, error) {
	f, err := os.Open(file)
	if err != nil {
		return verdict{}, usage("%w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return verdict{}, err
	}
	query := url.Values{"kind": {string(slip.Kind)}}
	for k, v := range map[string]string{"paper": string(slip.Paper), "replaces": slip.Replaces, "reuses": slip.Reuses} {
		if v != "" {
			query.Set(k, v)
		}
	}
	target := c.base + "/api/v1/dossiers/" + url.PathEscape(string(slip.Dossier)) + "/documents?" + query.Encode()
	var body io.Reader = f
	if st.Size() == 0 {
		body = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target, body)
	if err != nil {
		return verdict{}, err
	}
	req.ContentLength = st.Size()
	req.Header.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(filepath.Base(file)))
	req.Header.Set("Prefer", "wait=20")
	for k, v := range map[string]string{"Sohoa-Name": slip.Name, "Sohoa-Owner-Id": slip.OwnerID, "Sohoa-Number": slip.Number} {
		if v != "" {
			req.Header.Set(k, url.PathEscape(v))
		}
	}
	v := verdict{File: file}
	for {
		answer, err := c.do(req)
		if err != nil {
			return v, err
		}
		again, err := v.read(answer)
		if err != nil || !again {
			return v, err
		}
		wait, _ := strconv.Atoi(answer.header.Get("Retry-After"))
		select {
		case <-time.After(time.Duration(min(max(wait, 1), 60)) * time.Second):
		case <-ctx.Done():
			return v, ctx.Err()
		}
		where := answer.header.Get("Location")
		if answer.status == http.StatusAccepted && where != "" {
			if strings.HasPrefix(where, "/") {
				where = c.base + where
			}
			if req, err = http.NewRequestWithContext(ctx, http.MethodGet, where, nil); err != nil {
				return v, err
			}
			continue
		}
		// 503: the same bytes once more.
		if req.Body != nil {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return v, err
			}
			req.Body = io.NopCloser(f)
		}
	}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (c *client) do(req *http.Request) (answer, error) {
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return answer{resp.StatusCode, resp.Header, b}, err
}

// read takes the verdict out of an answer; again says that there is none yet.
func (v *verdict) read(a answer) (again bool, err error) {
	v.Status = a.status
	switch a.status {
	case http.StatusOK, http.StatusCreated:
		rec := new(dossier.Record)
		if err := json.Unmarshal(a.body, rec); err != nil {
			return false, fmt.Errorf("the server's answer is no record: %w", err)
		}
		v.Record, v.ID, v.Again = rec, rec.ID, a.status == http.StatusOK
		return false, nil
	case http.StatusAccepted, http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return true, nil
	}
	var p struct {
		Title     string         `json:"title"`
		Reason    dossier.Reason `json:"reason"`
		MessageVI string         `json:"message_vi"`
		MessageEN string         `json:"message_en"`
	}
	if err := json.NewDecoder(bytes.NewReader(a.body)).Decode(&p); err != nil {
		return false, fmt.Errorf("the server answered %d", a.status)
	}
	v.Reason, v.Text = p.Reason, dossier.Text{VI: p.MessageVI, EN: p.MessageEN}
	if v.Text.VI == "" {
		v.Text = dossier.Text{VI: p.Title, EN: p.Title}
	}
	switch a.status {
	case http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return false, nil // the scan is at fault
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict:
		return false, usage("%s: %s / %s", v.File, v.Text.VI, v.Text.EN)
	}
	return false, fmt.Errorf("the server answered %d: %s / %s", a.status, v.Text.VI, v.Text.EN)
}
