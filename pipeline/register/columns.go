package register

import "sohoa/pipeline/sheet"

// The pinned columns, and the headers that provincial systems and their
// spreadsheets use for them.

var unitColumns = []sheet.Column{
	{Name: "code", Also: []string{"mã", "mã đơn vị", "mã cơ quan", "mã định danh", "unit", "unit_code"}},
	{Name: "name", Also: []string{"tên", "tên đơn vị", "tên cơ quan", "đơn vị"}},
	{Name: "level", Also: []string{"cấp", "cấp đơn vị", "cấp hành chính"}},
	{Name: "parent", Also: []string{"đơn vị cha", "mã đơn vị cha", "đơn vị cấp trên", "mã cấp trên", "trực thuộc"}},
	{Name: "valid_from", Also: []string{"từ ngày", "hiệu lực từ", "ngày hiệu lực", "ngày bắt đầu"}},
	{Name: "valid_to", Also: []string{"đến ngày", "hiệu lực đến", "ngày hết hiệu lực", "ngày kết thúc"}},
	{Name: "successor", Also: []string{"đơn vị kế thừa", "đơn vị kế tục", "mã đơn vị kế thừa", "đơn vị mới", "sáp nhập vào"}},
}

var procedureColumns = []sheet.Column{
	{Name: "code", Also: []string{"mã", "mã thủ tục", "mã TTHC", "procedure"}},
	{Name: "name", Also: []string{"tên", "tên thủ tục", "tên TTHC", "thủ tục", "thủ tục hành chính"}},
	{Name: "returns_document", Also: []string{"có trả kết quả", "có kết quả", "trả kết quả", "có kết quả giấy tờ"}},
}

var dossierColumns = []sheet.Column{
	{Name: "code", Also: []string{"mã", "mã hồ sơ", "số hồ sơ", "dossier", "dossier_code"}},
	{Name: "unit", Also: []string{"đơn vị", "mã đơn vị", "cơ quan", "mã cơ quan", "đơn vị tiếp nhận", "đơn vị giải quyết"}},
	{Name: "procedure", Also: []string{"thủ tục", "mã thủ tục", "mã TTHC", "TTHC"}},
	{Name: "channel", Also: []string{"kênh", "kênh thực hiện", "hình thức nộp", "hình thức tiếp nhận"}},
	{Name: "received_at", Also: []string{"ngày tiếp nhận", "thời điểm tiếp nhận", "ngày nhận", "tiếp nhận lúc", "ngày nộp"}},
	{Name: "status", Also: []string{"trạng thái", "tình trạng", "trạng thái hồ sơ"}},
	{Name: "resolved_at", Also: []string{"ngày giải quyết", "ngày giải quyết xong", "ngày có kết quả", "ngày kết thúc xử lý", "thời điểm giải quyết"}},
	{Name: "synced_at", Optional: true, Also: []string{"ngày đồng bộ", "đồng bộ lúc", "thời điểm đồng bộ"}},
	{Name: "personal_store_at", Optional: true, Also: []string{"ngày đẩy kho dữ liệu", "kho dữ liệu cá nhân", "ngày đưa vào kho"}},
}

var resultColumns = []sheet.Column{
	{Name: "number", Also: []string{"số", "số ký hiệu", "số hiệu", "số kết quả", "ký hiệu"}},
	{Name: "unit", Also: []string{"đơn vị", "mã đơn vị", "cơ quan", "mã cơ quan", "cơ quan ban hành", "đơn vị ban hành"}},
	{Name: "authority_level", Also: []string{"cấp", "cấp thẩm quyền", "thẩm quyền", "cấp giải quyết"}},
	{Name: "issued_on", Also: []string{"ngày ban hành", "ngày cấp", "ngày ký"}},
	{Name: "valid_from", Also: []string{"hiệu lực từ", "từ ngày", "ngày hiệu lực"}},
	{Name: "valid_to", Also: []string{"hiệu lực đến", "đến ngày", "ngày hết hiệu lực", "thời hạn"}},
	{Name: "revoked", Also: []string{"thu hồi", "đã thu hồi", "bị thu hồi"}},
	{Name: "name", Also: []string{"tên", "tên kết quả", "tên giấy tờ", "trích yếu"}},
}

var indicatorColumns = []sheet.Column{
	{Name: "row", Also: []string{"stt", "dòng", "chỉ tiêu số"}},
	{Name: "period", Also: []string{"kỳ", "kỳ báo cáo", "tháng"}},
	{Name: "value", Also: []string{"giá trị", "kết quả", "kết quả thực hiện"}},
}

var portalColumns = []sheet.Column{
	{Name: "period", Also: []string{"kỳ", "kỳ báo cáo", "tháng"}},
	{Name: "unit", Also: []string{"đơn vị", "mã đơn vị"}},
	{Name: "indicator", Also: []string{"chỉ số", "chỉ tiêu", "mã chỉ số"}},
	{Name: "numerator", Also: []string{"tử số"}},
	{Name: "denominator", Also: []string{"mẫu số"}},
}
