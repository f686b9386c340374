package web

import "sohoa/dossier"

type problemText struct {
	status int
	retry  int // seconds, where the status carries Retry-After
	title  string
	text   dossier.Text
}

// problems is the catalogue of what the API answers when it cannot do what was
// asked. Rejected scans take their sentences from dossier.Reason.
var problems = map[string]problemText{
	"rejected": {422, 0, "The scan was rejected", dossier.Text{}},
	"too-large": {413, 0, "The file is too large", dossier.Text{
		VI: "Tệp quá lớn. Hãy tách thành nhiều tệp nhỏ hơn.",
		EN: "The file is too large. Split it into smaller ones."}},
	"bad-request": {400, 0, "The request is malformed", dossier.Text{
		VI: "Yêu cầu sai dạng. Hãy xem mô tả tại /api/openapi.json và gửi lại.",
		EN: "The request is malformed. See /api/openapi.json and send it again."}},
	"bad-value": {400, 0, "A value of the request is malformed", dossier.Text{
		VI: "Một giá trị trong yêu cầu sai dạng. Hãy sửa giá trị nêu trong \"detail\" rồi gửi lại.",
		EN: "A value of the request is malformed. Correct the one named in \"detail\" and send it again."}},
	"bad-digest": {400, 0, "Content-Digest cannot be read", dossier.Text{
		VI: "Không đọc được Content-Digest. Hãy ghi sha-256=:<base64>: (RFC 9530) hoặc bỏ trống.",
		EN: "Content-Digest cannot be read. Write sha-256=:<base64>: (RFC 9530), or leave it out."}},
	"digest-differs": {400, 0, "The body does not have the promised digest", dossier.Text{
		VI: "Tệp nhận được khác với tệp đã gửi (mã băm không khớp). Hãy gửi lại.",
		EN: "What arrived differs from what was sent (the digest differs). Send it again."}},
	"incomplete": {400, 0, "The body ended early", dossier.Text{
		VI: "Đường truyền bị ngắt trước khi nhận đủ tệp; chưa lưu gì. Hãy gửi lại.",
		EN: "The line was cut before the whole file arrived; nothing was stored. Send it again."}},
	"too-slow": {408, 0, "Nothing came for too long", dossier.Text{
		VI: "Quá lâu không nhận được dữ liệu; chưa lưu gì. Hãy kiểm tra đường truyền và gửi lại.",
		EN: "Nothing arrived for too long; nothing was stored. Check the line and send it again."}},
	"signed-out": {401, 0, "Credentials are needed", dossier.Text{
		VI: "Cần đăng nhập hoặc mã truy cập còn hiệu lực (Authorization: Bearer …).",
		EN: "Sign in, or send a token that is in force (Authorization: Bearer …)."}},
	"not-allowed": {403, 0, "The role may not do this", dossier.Text{
		VI: "Vai trò của tài khoản không được làm việc này. Hãy hỏi quản trị viên của đơn vị.",
		EN: "The account's role may not do this. Ask your unit's administrator."}},
	"out-of-scope": {403, 0, "The unit is out of scope", dossier.Text{
		VI: "Đơn vị này ngoài phạm vi của tài khoản. Hãy dùng tài khoản của đơn vị đó hoặc đơn vị cấp trên.",
		EN: "This unit is outside the account's scope. Use an account of that unit or of one above it."}},
	"cross-origin": {403, 0, "Refused: sent from another site", dossier.Text{
		VI: "Yêu cầu đến từ trang web khác nên bị từ chối. Hãy mở lại trang này và thử lại.",
		EN: "The request came from another site and was refused. Open this site's own page and try again."}},
	"unknown-unit": {404, 0, "Unknown unit", dossier.Text{
		VI: "Chưa có đơn vị này trong danh mục. Hãy kiểm tra mã, hoặc nhập danh mục đơn vị (sohoa import units).",
		EN: "The register of units does not have this unit. Check the code, or import the units (sohoa import units)."}},
	"unknown-dossier": {404, 0, "Unknown dossier", dossier.Text{
		VI: "Chưa có hồ sơ này và chưa có giấy tờ nào của nó. Hãy kiểm tra mã hồ sơ.",
		EN: "There is no such dossier and no paper of it. Check the code."}},
	"unknown-document": {404, 0, "Unknown document", dossier.Text{
		VI: "Không có giấy tờ này. Hãy kiểm tra mã giấy tờ.",
		EN: "There is no such document. Check its id."}},
	"no-archive-copy": {404, 0, "No archive copy yet", dossier.Text{
		VI: "Giấy tờ này chưa có bản lưu trữ. Hãy đợi xử lý xong, hoặc tải tệp gốc.",
		EN: "This document has no archive copy. Wait until it is settled, or fetch the original."}},
	"deleted": {410, 0, "Deleted by order", dossier.Text{
		VI: "Giấy tờ này đã bị xóa theo quyết định.",
		EN: "This document was deleted by order."}},
	"not-found": {404, 0, "There is nothing here", dossier.Text{
		VI: "Không có gì ở địa chỉ này. Hãy xem /api/openapi.json.",
		EN: "There is nothing at this address. See /api/openapi.json."}},
	"method-not-allowed": {405, 0, "The method is not allowed here", dossier.Text{
		VI: "Địa chỉ này không nhận phương thức đó. Hãy xem /api/openapi.json.",
		EN: "This address does not take that method. See /api/openapi.json."}},
	"paper-taken": {409, 0, "The paper has other bytes", dossier.Text{
		VI: "Giấy tờ mang mã này của hồ sơ đã có tệp khác. Nếu đây là bản quét tốt hơn, hãy gửi lại kèm replaces=<mã giấy tờ cũ>.",
		EN: "This paper of the dossier already has other bytes. If this is a better scan, send it again with replaces=<id of the old one>."}},
	"not-replaceable": {409, 0, "Not replaceable", dossier.Text{
		VI: "Giấy tờ cần thay không còn hiệu lực hoặc thuộc hồ sơ khác. Hãy tải lại danh sách giấy tờ rồi chọn lại.",
		EN: "The document to replace is not in force or belongs to another dossier. Reload the dossier's papers and choose again."}},
	"bad-file": {422, 0, "The file cannot be imported", dossier.Text{
		VI: "Không đọc được tệp danh mục. Hãy gửi CSV (UTF-8) hoặc XLSX có dòng tiêu đề.",
		EN: "The register file cannot be read. Send CSV (UTF-8) or XLSX with a header row."}},
	"too-many": {429, 30, "Too many attempts", dossier.Text{
		VI: "Thử quá nhiều lần. Hãy đợi một lát rồi thử lại.",
		EN: "Too many attempts. Wait a moment and try again."}},
	"gone": {499, 0, "The client went away", dossier.Text{
		VI: "Yêu cầu đã bị hủy.", EN: "The request was cancelled."}},
	"fault": {500, 0, "Our fault", dossier.Text{
		VI: "Lỗi ở phía hệ thống, không phải ở tệp của bạn. Hãy thử lại sau; nếu vẫn lỗi, báo quản trị kèm mã request_id.",
		EN: "This is our fault, not your file's. Try again later; if it persists, tell the administrator the request_id."}},
	"faulted": {500, 0, "Kept, but not processed: our fault", faulted},
	"not-wired": {501, 0, "Not available in this installation", dossier.Text{
		VI: "Chức năng này chưa được bật ở máy chủ này.",
		EN: "This is not available in this installation."}},
	"busy": {503, 2, "Busy", dossier.Text{
		VI: "Máy chủ đang bận. Hãy gửi lại sau vài giây.",
		EN: "The server is busy. Send it again in a few seconds."}},
	"unavailable": {503, 10, "Temporarily unavailable", dossier.Text{
		VI: "Kho lưu trữ hoặc cơ sở dữ liệu tạm thời không truy cập được. Hãy gửi lại sau; tệp không có lỗi.",
		EN: "The store or the ledger cannot be reached at the moment. Send it again later; nothing is wrong with the file."}},
}

var faulted = dossier.Text{
	VI: "Đã nhận và lưu giữ tệp, nhưng hệ thống chưa xử lý được (lỗi phía hệ thống). Không cần gửi lại; người quản trị sẽ cho xử lý tiếp.",
	EN: "The file was received and is kept, but we failed to process it. No need to send it again; an operator will have it processed."}
