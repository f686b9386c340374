package backfill

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"sohoa/dossier"
	"sohoa/pipeline/register"
)

// Cause says why a row was skipped or faulted, or what else was done. The set is
// closed.
type Cause string

const (
	BadRow        Cause = "bad-row"
	FileMissing   Cause = "file-missing"
	FileAmbiguous Cause = "file-ambiguous"
	FileUnread    Cause = "file-unreadable"
	UnknownUnit   Cause = "unknown-unit"
	PaperTaken    Cause = "paper-taken"
	Repeated      Cause = "repeated" // dry run: the same file for the same paper stands above
	OutOfScope    Cause = "out-of-scope"
	Corrected     Cause = "corrected" // already there: what is said of it was corrected
	OurFault      Cause = "fault"
)

// Text is the sentence for the operator.
func (c Cause) Text() dossier.Text { return causeTexts[c] }

var causeTexts = map[Cause]dossier.Text{
	BadRow: {VI: "Dòng có giá trị không nhận được. Hãy sửa dòng này rồi chạy lại.",
		EN: "The row has a value that cannot be taken. Mend the row and run again."},
	FileMissing: {VI: "Không tìm thấy tệp. Hãy kiểm tra tên tệp và thư mục gốc (--root).",
		EN: "The file was not found. Check its name and the root (--root)."},
	FileAmbiguous: {VI: "Có nhiều tệp ứng với tên này. Hãy ghi tên tệp chính xác.",
		EN: "Several files answer to this name. Write the exact name."},
	FileUnread: {VI: "Không được phép đọc tệp, hoặc không phải là tệp. Hãy kiểm tra quyền truy cập.",
		EN: "The file may not be read, or is no file. Check its permissions."},
	UnknownUnit: {VI: "Đơn vị không có trong danh mục đơn vị. Hãy kiểm tra mã hoặc nhập danh mục đơn vị.",
		EN: "The unit is not in the register of units. Check the code, or import the units."},
	PaperTaken: {VI: "Giấy tờ này của hồ sơ đã có tệp khác. Nếu là bản quét tốt hơn, hãy thay thế tại trạm số hóa.",
		EN: "This paper of the dossier already has other bytes. If this is a better scan, replace it at the scan station."},
	OutOfScope: {VI: "Tài khoản không được nộp cho đơn vị này. Hãy dùng tài khoản của đơn vị đó hoặc đơn vị cấp trên.",
		EN: "The account may not hand in for this unit. Use one of that unit or of one above it."},
	Corrected: {VI: "Giấy tờ đã có; thông tin đã được sửa theo dòng này.",
		EN: "The paper was there already; what is said of it was corrected by this row."},
	Repeated: {VI: "Trùng với một dòng ở trên.", EN: "The same as a row above."},
	OurFault: {VI: "Lỗi hệ thống, không phải lỗi của tệp. Tài liệu nằm trong hộp lỗi và sẽ được xử lý lại.",
		EN: "A fault of the system, not of the file. The document lies in the failure inbox and will be tried again."},
}

// submit brings one row to its outcome; false: the run ended before.
func (r *run) submit(ctx context.Context, line register.Line[register.Entry]) (Result, bool) {
	res := Result{Row: line.Row, File: line.Value.File}
	slip := line.Value.Slip
	slip.By, slip.Door = r.By, dossier.DoorBackfill

	// What is begun is finished, also when the run is to stop.
	whole := context.WithoutCancel(ctx)
	var waited time.Duration
	pause := time.Second
	for {
		f, cause, err := r.files.open(line.Value)
		if cause != "" {
			res.Outcome, res.Reason, res.Text = Skipped, string(cause), cause.Text()
			return res, true
		}
		var st dossier.Standing
		if err == nil {
			res.File = f.path
			slip.FileName = f.name
			st, err = r.once(whole, slip, f)
			f.Close()
			if err != nil && f.err != nil {
				return skipped(res, FileUnread), true
			}
		}
		var busy *Busy
		var rej *dossier.Rejection
		switch {
		case err == nil:
			return r.verdict(whole, ctx, res, st)
		case errors.As(err, &rej):
			res.Outcome, res.Reason, res.Text = Rejected, string(rej.Reason), rej.Reason.Text()
			return res, true
		case errors.Is(err, dossier.ErrUnknownUnit):
			return skipped(res, UnknownUnit), true
		case errors.Is(err, dossier.ErrPaperTaken):
			return skipped(res, PaperTaken), true
		case errors.Is(err, ErrOutOfScope):
			return skipped(res, OutOfScope), true
		case errors.Is(err, ErrDenied):
			r.mu.Lock()
			r.fail(err)
			r.mu.Unlock()
			return res, false
		case errors.Is(err, ErrSlip), errors.Is(err, dossier.ErrUnknownDocument), errors.Is(err, dossier.ErrNotReplaceable):
			return skipped(res, BadRow), true
		case errors.As(err, &busy):
			r.waiting("busy")
			if r.Sleep(ctx, min(max(busy.After, time.Second), 5*time.Minute)) != nil {
				return res, false
			}
			waited, pause = 0, time.Second
			continue
		}
		// The door is away, or the disk: wait with growing pauses, then end the run
		// rather than spend every row on it.
		if waited >= r.Patience {
			r.mu.Lock()
			r.fail(errors.Join(ErrAway, err))
			r.mu.Unlock()
			return res, false
		}
		r.waiting("away")
		if r.Sleep(ctx, pause) != nil {
			return res, false
		}
		waited, pause = waited+pause, min(2*pause, time.Minute)
	}
}

func skipped(res Result, c Cause) Result {
	res.Outcome, res.Reason, res.Text = Skipped, string(c), c.Text()
	return res
}

// once hands the file in unless an earlier run did and the ledger still knows.
func (r *run) once(ctx context.Context, slip dossier.Slip, f *file) (dossier.Standing, error) {
	var key Key
	if r.Journal != nil {
		key = keyOf(slip, f)
		if id, ok, err := r.Journal.Find(key); err != nil {
			return dossier.Standing{}, err
		} else if ok {
			st, err := r.door.Standing(ctx, id)
			if err == nil && (st.State == dossier.Stored || st.State == dossier.Refused) {
				st.Again = true
				return st, nil
			}
			if err != nil && !errors.Is(err, dossier.ErrUnknownDocument) {
				return dossier.Standing{}, err
			}
		}
	}
	st, err := r.door.Submit(ctx, slip, f, f.size)
	if err != nil {
		return st, err
	}
	// One that was there and has no verdict yet has not been corrected: the next run
	// looks again.
	if r.Journal != nil && st.State != dossier.Faulted && st.Intake.ID != "" && !(st.Again && st.State == dossier.Pending) {
		err = r.Journal.Add(key, st.Intake.ID)
	}
	return st, err
}

// verdict waits until the document is no longer pending.
func (r *run) verdict(whole, ctx context.Context, res Result, st dossier.Standing) (Result, bool) {
	again, corrected := st.Again, st.Corrected
	res.Document = st.Intake.ID
	for pause := 100 * time.Millisecond; ; pause = min(pause*2, 5*time.Second) {
		switch st.State {
		case dossier.Stored:
			res.Outcome = Stored
			if again {
				res.Outcome = Already
			}
			if corrected {
				res.Reason, res.Text = string(Corrected), Corrected.Text()
			}
			return res, true
		case dossier.Refused:
			res.Outcome = Rejected
			if st.Refusal != nil {
				res.Reason, res.Text = string(st.Refusal.Reason), st.Refusal.Message
			}
			return res, true
		case dossier.Faulted:
			if p, ok := r.door.(Replayer); ok && r.replay(res.Document) && again {
				if err := p.Replay(whole, res.Document); err == nil {
					st.State = dossier.Pending
					continue
				}
			}
			res.Outcome, res.Reason, res.Text = Faulted, string(OurFault), OurFault.Text()
			return res, true
		}
		if r.Sleep(whole, pause) != nil {
			return res, false
		}
		next, err := r.door.Standing(whole, res.Document)
		var busy *Busy
		if errors.As(err, &busy) {
			r.waiting("busy")
			pause = max(pause, min(busy.After, 5*time.Minute))
			continue
		}
		if err != nil {
			if errors.Is(err, dossier.ErrUnknownDocument) || ctx.Err() != nil {
				return res, false // received, its verdict unknown: the next run will see
			}
			r.waiting("away")
			continue
		}
		st = next
	}
}

// replay reports, once a run for each document, that it may be replayed.
func (r *run) replay(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replayed[id] {
		return false
	}
	r.replayed[id] = true
	return true
}

// causeOf tells what a row's file suffers from; empty: a fault of the machine.
func causeOf(err error) Cause {
	var at *fs.PathError
	var number syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG):
		return FileMissing
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrInvalid), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EISDIR):
		return FileUnread
	case errors.Is(err, errAmbiguous):
		return FileAmbiguous
	case errors.As(err, &at) && !errors.As(err, &number):
		return FileUnread // os.Root's own: the path leads out of the root
	}
	return ""
}
