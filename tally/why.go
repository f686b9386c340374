package tally

import "sohoa/dossier"

// Why is a stable code for what a dossier lacks to be counted.
type Why string

const (
	NoComponent   Why = "no-component"
	NoResult      Why = "no-result"
	NotSigned     Why = "not-signed"
	NotReused     Why = "not-reused"
	NotInPersonal Why = "not-in-personal-store"
	NotSynced     Why = "not-synced"
	NotOnline     Why = "not-online"
)

// Whys lists every reason.
func Whys() []Why {
	return []Why{NoComponent, NoResult, NotSigned, NotReused, NotInPersonal, NotSynced, NotOnline}
}

// Text says in a few words what is lacking, to stand in a worklist.
func (w Why) Text() dossier.Text { return whyTexts[w].lack }

// Advice says what a clerk can do about it.
func (w Why) Advice() dossier.Text { return whyTexts[w].advice }

var whyTexts = map[Why]struct{ lack, advice dossier.Text }{
	NoComponent: {
		dossier.Text{VI: "chưa có thành phần", EN: "no component file"},
		dossier.Text{VI: "Quét giấy tờ người dân đã nộp và tải lên.", EN: "Scan the papers that were handed in and upload them."}},
	NoResult: {
		dossier.Text{VI: "chưa có tệp kết quả", EN: "no result file"},
		dossier.Text{VI: "Tải lên kết quả giải quyết.", EN: "Upload the result."}},
	NotSigned: {
		dossier.Text{VI: "kết quả chưa ký số", EN: "the result is not digitally signed"},
		dossier.Text{VI: "Thay bằng tệp kết quả có chữ ký số hợp lệ của cơ quan.", EN: "Replace the result with the file that bears the agency's valid digital signature."}},
	NotReused: {
		dossier.Text{VI: "chưa dùng lại", EN: "nothing reused"},
		dossier.Text{VI: "Dùng lại giấy tờ đã số hóa của người nộp, nếu có.", EN: "Reuse the applicant's digitised papers, where there are any."}},
	NotInPersonal: {
		dossier.Text{VI: "chưa có trong kho cá nhân", EN: "not in the personal store"},
		dossier.Text{VI: "Chuyển kết quả vào kho dữ liệu cá nhân, hoặc lấy giấy tờ từ kho đó.", EN: "Push the result to the owner's personal store, or take a paper from it."}},
	NotSynced: {
		dossier.Text{VI: "chưa đồng bộ", EN: "not synchronised"},
		dossier.Text{VI: "Đồng bộ hồ sơ lên Cổng Dịch vụ công quốc gia.", EN: "Synchronise the dossier to the national portal."}},
	NotOnline: {
		dossier.Text{VI: "không nộp trực tuyến", EN: "not handed in online"},
		dossier.Text{VI: "Hồ sơ đã nộp trực tiếp hoặc qua bưu chính: không đổi được; hướng dẫn nộp trực tuyến lần sau.", EN: "It was handed in at the counter or by post, which cannot be changed; show the applicant the online way next time."}},
}
