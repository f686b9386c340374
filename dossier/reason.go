package dossier

import "fmt"

// Reason says why a scan was rejected. The set is closed: outside systems rely
// on the codes.
type Reason string

const (
	NotADocument    Reason = "not-a-document"
	Damaged         Reason = "damaged"
	Truncated       Reason = "truncated"
	Encrypted       Reason = "encrypted"
	Empty           Reason = "empty"
	TooLarge        Reason = "too-large"
	TooComplex      Reason = "too-complex"
	ActiveContent   Reason = "active-content"
	LowResolution   Reason = "low-resolution"
	WrongDossier    Reason = "wrong-dossier"
	SignatureBroken Reason = "signature-broken"
)

// Reasons lists every reason, in the order in which people are shown them.
func Reasons() []Reason {
	return []Reason{NotADocument, Damaged, Truncated, Encrypted, Empty, TooLarge,
		TooComplex, ActiveContent, LowResolution, WrongDossier, SignatureBroken}
}

// Text is the sentence for a clerk: what is wrong and what to do.
func (r Reason) Text() Text { return reasonTexts[r] }

// Valid reports whether r is one of the closed set.
func (r Reason) Valid() bool { _, ok := reasonTexts[r]; return ok }

var reasonTexts = map[Reason]Text{
	NotADocument: {
		"Tệp không phải là PDF hay ảnh quét. Hãy chọn tệp PDF, JPEG, PNG hoặc TIFF do máy quét tạo ra.",
		"The file is neither a PDF nor a scanned image. Choose a PDF, JPEG, PNG or TIFF made by the scanner."},
	Damaged: {
		"Tệp bị hỏng, không đọc được. Hãy quét lại giấy tờ và gửi tệp mới.",
		"The file is damaged and cannot be read. Scan the paper again and send the new file."},
	Truncated: {
		"Tệp bị cắt cụt, thiếu phần cuối. Hãy sao chép lại từ máy quét hoặc quét lại.",
		"The file is cut off and its end is missing. Copy it from the scanner again, or scan again."},
	Encrypted: {
		"Tệp có mật khẩu nên không đọc được. Hãy bỏ mật khẩu hoặc quét lại bản giấy.",
		"The file is protected by a password. Remove the password, or scan the paper."},
	Empty: {
		"Tệp không có trang nào. Hãy quét lại giấy tờ.",
		"The file has no pages. Scan the paper again."},
	TooLarge: {
		"Tệp vượt quá dung lượng hoặc số trang cho phép. Hãy quét ở 300 dpi và tách thành nhiều tệp.",
		"The file exceeds the allowed size or number of pages. Scan at 300 dpi and split it into several files."},
	TooComplex: {
		"Tệp quá phức tạp, không xử lý được trong giới hạn cho phép. Hãy in ra và quét lại ở 300 dpi.",
		"The file is too complex to be processed within the limits. Print it and scan it at 300 dpi."},
	ActiveContent: {
		"Tệp chứa nội dung chạy được (mã lệnh, tệp đính kèm). Hãy quét lại bản giấy hoặc xuất lại PDF không kèm mã lệnh.",
		"The file contains active content (scripts, attachments). Scan the paper, or export the PDF again without it."},
	LowResolution: {
		"Ảnh quét có độ phân giải quá thấp. Hãy quét lại ở 300 dpi.",
		"The resolution of the scan is too low. Scan again at 300 dpi."},
	WrongDossier: {
		"Mã hồ sơ không đúng dạng <đơn vị>-NNTTNN-SSSS (ví dụ H51.04-240830-0001). Hãy kiểm tra và nhập lại mã.",
		"The dossier code is malformed; it must read <unit>-YYMMDD-NNNN (such as H51.04-240830-0001). Check the code and enter it again."},
	SignatureBroken: {
		"Chữ ký số trên kết quả không còn toàn vẹn. Hãy lấy lại tệp gốc đã ký từ cơ quan ban hành, không in hay chuyển đổi.",
		"The digital signature of the result is broken. Get the signed file again from the issuing agency; do not print or convert it."},
}

// Rejection says that the scan is at fault, which someone has positively
// established; every error that is not a *Rejection is ours and is retried.
type Rejection struct {
	Reason Reason
	Detail Text  // what exactly was seen, for people ("96 dpi"); never personal data; may be empty
	Err    error // what the reader said, for the log; may be nil
}

// Reject returns a *Rejection with the detail in both languages.
func Reject(r Reason, detail Text, err error) *Rejection { return &Rejection{r, detail, err} }

func (r *Rejection) Error() string {
	s := "rejected: " + string(r.Reason)
	if r.Detail.EN != "" {
		s += " (" + r.Detail.EN + ")"
	}
	if r.Err != nil {
		s += fmt.Sprintf(": %v", r.Err)
	}
	return s
}

func (r *Rejection) Unwrap() error { return r.Err }

// Text is the sentence for a clerk with the detail behind it.
func (r *Rejection) Text() Text {
	t := r.Reason.Text()
	if r.Detail.VI != "" {
		t.VI += " (" + r.Detail.VI + ")"
	}
	if r.Detail.EN != "" {
		t.EN += " (" + r.Detail.EN + ")"
	}
	return t
}

// Flag is something a person should look at that is no reason to reject.
type Flag string

const (
	BlankPage           Flag = "blank-page"
	Skewed              Flag = "skewed"
	LowContrast         Flag = "low-contrast"
	ColourBelowProfile  Flag = "colour-below-profile"
	UnembeddedFonts     Flag = "unembedded-fonts"
	ChangedAfterSigning Flag = "changed-after-signing"
	SignatureDoubtful   Flag = "signature-doubtful"       // a component's signature is broken or not trusted
	ActiveContentFound  Flag = "active-content-found"     // kept, because the file is signed or the profile allows it
	ActiveContentGone   Flag = "active-content-stripped"  // gone from the archive copy, still in the original
	ReadBySecondReader  Flag = "read-by-second-reader"    // pdfcpu said no, PDFium opens it
	NotConvertible      Flag = "not-convertible"          // kept as original: no PDF/A copy without changing what is shown
	EmptyPassword       Flag = "empty-password"           // encrypted with an empty user password; the archive copy is not
	ResolutionUnknown   Flag = "resolution-unknown"       // the image states no dpi; the setting's was assumed
	BelowRecommended    Flag = "resolution-below-profile" // below the recommended, above the rejected resolution
	OtherPaper          Flag = "paper-size"               // no paper size that the profile expects
	Repaired            Flag = "repaired"                 // small structural damage mended in the archive copy
)

// Flags lists every flag.
func Flags() []Flag {
	return []Flag{BlankPage, Skewed, LowContrast, ColourBelowProfile, UnembeddedFonts, ChangedAfterSigning,
		SignatureDoubtful, ActiveContentFound, ActiveContentGone, ReadBySecondReader, NotConvertible,
		EmptyPassword, ResolutionUnknown, BelowRecommended, OtherPaper, Repaired}
}

// Text is the sentence for a clerk: what was seen and what to do.
func (f Flag) Text() Text { return flagTexts[f] }

var flagTexts = map[Flag]Text{
	BlankPage:           {"Có trang trống. Hãy kiểm tra mặt sau của giấy.", "A page is blank. Check the back of the paper."},
	Skewed:              {"Trang bị nghiêng. Nếu khó đọc, hãy đặt giấy thẳng và quét lại.", "A page is skewed. If it is hard to read, straighten the paper and scan again."},
	LowContrast:         {"Trang quá mờ. Nếu khó đọc, hãy tăng độ đậm và quét lại.", "A page is faint. If it is hard to read, raise the contrast and scan again."},
	ColourBelowProfile:  {"Ảnh không đủ màu theo quy định. Nếu giấy có dấu đỏ, hãy quét màu.", "The image has less colour than the rule asks for. If the paper bears a red seal, scan in colour."},
	UnembeddedFonts:     {"Tệp dùng phông chữ không nhúng kèm. Nếu được, hãy xuất lại PDF có nhúng phông.", "The file uses fonts that are not embedded. If you can, export the PDF again with its fonts."},
	ChangedAfterSigning: {"Tệp bị thay đổi sau khi ký. Hãy lấy lại bản gốc đã ký.", "The file was changed after it was signed. Get the signed original again."},
	SignatureDoubtful:   {"Chữ ký số trên giấy tờ không xác minh được. Hãy hỏi lại người nộp.", "The signature on the paper cannot be verified. Ask the applicant."},
	ActiveContentFound:  {"Tệp gốc chứa nội dung chạy được; tệp gốc được giữ nguyên, đừng mở bằng chương trình cho chạy mã lệnh.", "The original contains active content and is kept as it is; do not open it with a program that runs scripts."},
	ActiveContentGone:   {"Nội dung chạy được đã bị loại khỏi bản lưu trữ.", "Active content was left out of the archive copy."},
	ReadBySecondReader:  {"Tệp có lỗi nhỏ về cấu trúc nhưng vẫn đọc được.", "The file has small structural faults but can be read."},
	NotConvertible:      {"Chưa chuyển được sang PDF/A mà vẫn giữ nguyên hình; tệp gốc được lưu.", "The file cannot become PDF/A without changing what is shown; the original is kept."},
	EmptyPassword:       {"Tệp mã hóa nhưng không cần mật khẩu; bản lưu trữ không mã hóa.", "The file is encrypted with an empty password; the archive copy is not encrypted."},
	ResolutionUnknown:   {"Ảnh không ghi độ phân giải; đã dùng giá trị mặc định.", "The image does not state its resolution; the default was used."},
	BelowRecommended:    {"Độ phân giải thấp hơn mức khuyến nghị. Lần sau hãy quét ở 300 dpi.", "The resolution is below the recommended one. Next time scan at 300 dpi."},
	OtherPaper:          {"Khổ giấy khác thường. Nếu giấy là A4, hãy chọn đúng khổ giấy trên máy quét và quét lại ở tỷ lệ 1:1.", "The paper is of an unusual size. If it is A4, choose that size at the scanner and scan again at 1:1."},
	Repaired:            {"Lỗi cấu trúc nhỏ đã được sửa trong bản lưu trữ.", "Small structural faults were mended in the archive copy."},
}

// Finding is a flag at a place.
type Finding struct {
	Flag   Flag `json:"code"`
	Page   int  `json:"page,omitempty"` // 1-based; 0 where it concerns the file
	Detail Text `json:"detail,omitzero"`
}
