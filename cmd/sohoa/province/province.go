// Package province makes the sample province of the demo: Sóc Trăng's tree of
// units before and after 1 July 2025, procedures, dossiers, results in force,
// and a plan of which sample scan goes to which dossier. It is the same every
// time. The province, its departments and districts bear their names; the names
// of communes and all dossiers are made up to look like them.
package province

import (
	"fmt"
	"math/rand/v2"
	"time"

	"sohoa/dossier"
)

// Reorganised is the day on which the districts ended and communes were merged.
const Reorganised dossier.Date = 20250701

// Root is the province.
const Root dossier.UnitCode = "H51"

// Province is all of its registers.
type Province struct {
	Units      []dossier.Unit
	Procedures []dossier.Procedure
	Dossiers   []dossier.Registered
	Results    []dossier.Result
	Indicators []dossier.IndicatorValue
}

// Sample makes the province.
func Sample() Province {
	p := Province{Units: units(), Procedures: procedures(), Indicators: indicators()}
	rnd := rand.New(rand.NewPCG(51, 20250701))
	p.Dossiers = dossiers(rnd, p)
	p.Results = results(rnd, p)
	return p
}

type district struct {
	name     string
	communes [6]string // until the reorganisation; each two become one of merged
	merged   [3]string // the first is the seat and answers for the district
}

var departments = []string{
	"Văn phòng Ủy ban nhân dân tỉnh", "Sở Tư pháp", "Sở Kế hoạch và Đầu tư", "Sở Tài nguyên và Môi trường",
	"Sở Xây dựng", "Sở Giao thông vận tải", "Sở Y tế", "Sở Thông tin và Truyền thông", "Sở Lao động - Thương binh và Xã hội",
}

var districts = []district{
	{"Thành phố Sóc Trăng", [6]string{"Phường 1", "Phường 2", "Phường 3", "Phường 4", "Phường 7", "Phường 10"}, [3]string{"Phường Phú Lợi", "Phường Sóc Trăng", "Phường Khánh Tâm"}},
	{"Thị xã Vĩnh Châu", [6]string{"Phường Vĩnh Phước", "Phường Khánh Hòa", "Xã Vĩnh Hải", "Xã Lạc Hòa", "Xã Lai Hòa", "Xã Vĩnh Tân"}, [3]string{"Phường Vĩnh Châu", "Xã Vĩnh Hải", "Xã Lai Hòa"}},
	{"Thị xã Ngã Năm", [6]string{"Phường 1 (Ngã Năm)", "Phường 2 (Ngã Năm)", "Xã Mỹ Quới", "Xã Mỹ Bình", "Xã Tân Long", "Xã Long Bình"}, [3]string{"Phường Ngã Năm", "Xã Mỹ Quới", "Xã Tân Long"}},
	{"Huyện Châu Thành", [6]string{"Thị trấn Châu Thành", "Xã Phú Tâm", "Xã Hồ Đắc Kiện", "Xã Thiện Mỹ", "Xã An Ninh", "Xã An Hiệp"}, [3]string{"Xã Phú Tâm", "Xã Hồ Đắc Kiện", "Xã An Ninh"}},
	{"Huyện Cù Lao Dung", [6]string{"Thị trấn Cù Lao Dung", "Xã An Thạnh 1", "Xã An Thạnh 2", "Xã Đại Ân 1", "Xã An Thạnh Đông", "Xã An Thạnh Nam"}, [3]string{"Xã Cù Lao Dung", "Xã Đại Ân", "Xã An Thạnh"}},
	{"Huyện Kế Sách", [6]string{"Thị trấn Kế Sách", "Xã Kế An", "Xã An Lạc Thôn", "Xã Xuân Hòa", "Xã Đại Hải", "Xã Ba Trinh"}, [3]string{"Xã Kế Sách", "Xã An Lạc Thôn", "Xã Đại Hải"}},
	{"Huyện Long Phú", [6]string{"Thị trấn Long Phú", "Xã Long Đức", "Thị trấn Đại Ngãi", "Xã Song Phụng", "Xã Trường Khánh", "Xã Hậu Thạnh"}, [3]string{"Xã Long Phú", "Xã Đại Ngãi", "Xã Trường Khánh"}},
	{"Huyện Mỹ Tú", [6]string{"Thị trấn Huỳnh Hữu Nghĩa", "Xã Mỹ Tú", "Xã Long Hưng", "Xã Hưng Phú", "Xã Mỹ Hương", "Xã Mỹ Phước"}, [3]string{"Xã Mỹ Tú", "Xã Long Hưng", "Xã Mỹ Hương"}},
	{"Huyện Mỹ Xuyên", [6]string{"Thị trấn Mỹ Xuyên", "Xã Đại Tâm", "Xã Hòa Tú 1", "Xã Hòa Tú 2", "Xã Thạnh Phú", "Xã Thạnh Quới"}, [3]string{"Phường Mỹ Xuyên", "Xã Hòa Tú", "Xã Nhu Gia"}},
	{"Huyện Thạnh Trị", [6]string{"Thị trấn Phú Lộc", "Xã Thạnh Trị", "Thị trấn Hưng Lợi", "Xã Châu Hưng", "Xã Lâm Tân", "Xã Tuân Tức"}, [3]string{"Xã Phú Lộc", "Xã Vĩnh Lợi", "Xã Lâm Tân"}},
	{"Huyện Trần Đề", [6]string{"Thị trấn Trần Đề", "Xã Trung Bình", "Thị trấn Lịch Hội Thượng", "Xã Liêu Tú", "Xã Tài Văn", "Xã Thạnh Thới An"}, [3]string{"Xã Trần Đề", "Xã Liêu Tú", "Xã Tài Văn"}},
}

// The codes: departments H51.01…, districts H51.21…, their communes H51.21.01…,
// merged communes H51.101….

func units() []dossier.Unit {
	out := []dossier.Unit{{Code: Root, Name: "Tỉnh Sóc Trăng", Level: dossier.Province}}
	for i, name := range departments {
		out = append(out, dossier.Unit{Code: department(i), Name: name, Level: dossier.Department, Parent: Root})
	}
	for i, d := range districts {
		code := districtCode(i)
		out = append(out, dossier.Unit{Code: code, Name: "UBND " + d.name, Level: dossier.District, Parent: Root,
			ValidTo: Reorganised, Successor: merged(i, 0)})
		for j, name := range d.communes {
			out = append(out, dossier.Unit{Code: commune(i, j), Name: "UBND " + name, Level: dossier.Commune, Parent: code,
				ValidTo: Reorganised, Successor: merged(i, j/2)})
		}
	}
	for i, d := range districts {
		for j, name := range d.merged {
			out = append(out, dossier.Unit{Code: merged(i, j), Name: "UBND " + name, Level: dossier.Commune, Parent: Root, ValidFrom: Reorganised})
		}
	}
	return out
}

func department(i int) dossier.UnitCode { return dossier.UnitCode(fmt.Sprintf("%s.%02d", Root, i+1)) }
func districtCode(i int) dossier.UnitCode {
	return dossier.UnitCode(fmt.Sprintf("%s.%02d", Root, i+21))
}
func commune(i, j int) dossier.UnitCode {
	return dossier.UnitCode(fmt.Sprintf("%s.%02d", districtCode(i), j+1))
}
func merged(i, j int) dossier.UnitCode {
	return dossier.UnitCode(fmt.Sprintf("%s.%03d", Root, 101+3*i+j))
}

// where is the level whose units handle a procedure.
type where int

const (
	atDepartment where = iota
	atDistrict
	atCommune
)

type service struct {
	code    dossier.ProcedureCode
	name    string
	returns bool
	where   where
}

var services = []service{
	{"1.004946", "Cấp giấy phép hoạt động cho cơ sở dịch vụ", true, atDepartment},
	{"2.000488", "Cấp phiếu lý lịch tư pháp cho công dân Việt Nam", true, atDepartment},
	{"2.001815", "Đăng ký hành nghề luật sư với tư cách cá nhân", true, atDepartment},
	{"1.010010", "Đăng ký thành lập công ty trách nhiệm hữu hạn một thành viên", true, atDepartment},
	{"2.001610", "Đăng ký thành lập doanh nghiệp tư nhân", true, atDepartment},
	{"2.002000", "Thông báo thay đổi vốn đầu tư của chủ doanh nghiệp tư nhân", false, atDepartment},
	{"1.004240", "Cấp giấy phép khai thác nước dưới đất", true, atDepartment},
	{"1.004237", "Khai thác và sử dụng thông tin, dữ liệu tài nguyên và môi trường", false, atDepartment},
	{"1.009974", "Cấp giấy phép xây dựng công trình cấp I, cấp II", true, atDepartment},
	{"1.009988", "Cấp chứng chỉ năng lực hoạt động xây dựng hạng II, hạng III", true, atDepartment},
	{"1.002804", "Đổi giấy phép lái xe do ngành Giao thông vận tải cấp", true, atDepartment},
	{"2.001711", "Cấp đăng ký xe máy chuyên dùng lần đầu", true, atDepartment},
	{"1.003709", "Cấp lần đầu chứng chỉ hành nghề khám bệnh, chữa bệnh", true, atDepartment},
	{"1.004616", "Cấp chứng chỉ hành nghề dược", true, atDepartment},
	{"1.003659", "Cấp giấy phép bưu chính", true, atDepartment},
	{"2.001765", "Đăng ký thu tín hiệu truyền hình nước ngoài trực tiếp từ vệ tinh", true, atDepartment},
	{"1.000448", "Thành lập cơ sở trợ giúp xã hội ngoài công lập", true, atDepartment},
	{"1.001978", "Giải quyết hưởng trợ cấp thất nghiệp", true, atDepartment},
	{"1.004964", "Tiếp công dân tại trụ sở tiếp công dân cấp tỉnh", false, atDepartment},
	{"2.000528", "Đăng ký khai sinh có yếu tố nước ngoài", true, atDistrict},
	{"2.000806", "Đăng ký kết hôn có yếu tố nước ngoài", true, atDistrict},
	{"1.001612", "Đăng ký thành lập hộ kinh doanh", true, atDistrict},
	{"2.000720", "Đăng ký thay đổi nội dung đăng ký hộ kinh doanh", true, atDistrict},
	{"1.001570", "Thông báo tạm ngừng kinh doanh của hộ kinh doanh", false, atDistrict},
	{"1.009994", "Cấp giấy phép xây dựng nhà ở riêng lẻ", true, atDistrict},
	{"1.004203", "Tách thửa hoặc hợp thửa đất", true, atDistrict},
	{"1.011616", "Đăng ký, cấp giấy chứng nhận quyền sử dụng đất lần đầu", true, atDistrict},
	{"2.000815", "Chứng thực bản sao từ bản chính giấy tờ", true, atDistrict},
	{"2.000889", "Tặng giấy khen của Chủ tịch UBND cấp huyện", true, atDistrict},
	{"2.002501", "Tiếp nhận đơn kiến nghị, phản ánh tại cấp huyện", false, atDistrict},
	{"1.001193", "Đăng ký khai sinh", true, atCommune},
	{"1.000894", "Đăng ký kết hôn", true, atCommune},
	{"1.000656", "Đăng ký khai tử", true, atCommune},
	{"1.004873", "Cấp giấy xác nhận tình trạng hôn nhân", true, atCommune},
	{"2.000884", "Chứng thực chữ ký trong các giấy tờ, văn bản", true, atCommune},
	{"1.001776", "Thực hiện, điều chỉnh trợ cấp xã hội hằng tháng", true, atCommune},
	{"2.000744", "Trợ giúp xã hội đột xuất về hỗ trợ chi phí mai táng", true, atCommune},
	{"1.011606", "Công nhận hộ nghèo, hộ cận nghèo", true, atCommune},
	{"1.004088", "Xác nhận đơn đề nghị miễn giảm thủy lợi phí", false, atCommune},
	{"2.001035", "Thông báo tổ chức lễ hội cấp xã", false, atCommune},
}

func procedures() []dossier.Procedure {
	var out []dossier.Procedure
	for _, s := range services {
		out = append(out, dossier.Procedure{Code: s.code, Name: s.name, ReturnsDocument: s.returns})
	}
	return out
}

// indicators: the rows of the letter's appendix that come from elsewhere, as
// they are printed there.
func indicators() []dossier.IndicatorValue {
	const period = "2024-08"
	return []dossier.IndicatorValue{
		{Row: 1, Period: period, Value: "68,82%"},
		{Row: 2, Period: period, Value: "28,83%"},
		{Row: 6, Period: period, Value: "99,17%"},
		{Row: 8, Period: period, Value: "Tỷ lệ công bố đạt 22,45%; Tỷ lệ cập nhật, công khai đạt 57,83%"},
		{Row: 10, Period: period, Value: "100%"},
		{Row: 11, Period: period, Value: "94,15%"},
	}
}

// days of the sample, by working hours.
var (
	firstDay = time.Date(2024, 1, 2, 0, 0, 0, 0, dossier.Zone)
	lastDay  = time.Date(2025, 10, 31, 0, 0, 0, 0, dossier.Zone)
)

const size = 480 // dossiers

func dossiers(rnd *rand.Rand, p Province) []dossier.Registered {
	var out []dossier.Registered
	number := map[string]int{} // of a unit and day
	span := int(lastDay.Sub(firstDay).Hours()/24) + 1
	for i := range size {
		day := firstDay.AddDate(0, 0, i*span/size)
		for day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
			day = day.AddDate(0, 0, 1)
		}
		received := day.Add(7*time.Hour + 30*time.Minute + time.Duration(rnd.IntN(9*60))*time.Minute)
		s := services[rnd.IntN(len(services))]
		unit := handler(rnd, s, dossier.DateOf(received))

		key := fmt.Sprintf("%s-%s", unit, day.Format("060102"))
		number[key]++
		code := fmt.Sprintf("%s-%04d", key, number[key])
		if unit.isDistrict() && received.Year() == 2024 && rnd.IntN(3) == 0 {
			// The old form, leaf first.
			code = fmt.Sprintf("000.00.%s.%s-%s-%04d", unit[len(Root)+1:], Root, day.Format("060102"), number[key])
		}
		d := dossier.Registered{Code: dossier.Code(code), Unit: dossier.UnitCode(unit), Procedure: s.code,
			Channel: channel(rnd), ReceivedAt: received, Status: dossier.Received}
		if rnd.IntN(12) == 0 {
			d.Procedure += ".000.00.00." + dossier.ProcedureCode(Root) // the local form
		}
		switch n := rnd.IntN(100); {
		case n < 55:
			d.Status = dossier.Returned
		case n < 82:
			d.Status = dossier.Resolved
		case n < 85:
			d.Status = dossier.Withdrawn
		case n < 87:
			d.Status = dossier.Rejected
		case n < 88:
			d.Status = dossier.Cancelled
		}
		if d.Status == dossier.Returned || d.Status == dossier.Resolved {
			d.ResolvedAt = received.Add(time.Duration(2+rnd.IntN(15*24)) * time.Hour)
			if rnd.IntN(100) < 82 {
				d.SyncedAt = d.ResolvedAt.Add(time.Duration(10+rnd.IntN(600)) * time.Minute)
			}
			if s.returns && rnd.IntN(100) < 20 {
				d.PersonalStoreAt = d.ResolvedAt.Add(time.Hour)
			}
		}
		out = append(out, d)
	}
	return out
}

func channel(rnd *rand.Rand) dossier.Channel {
	switch n := rnd.IntN(100); {
	case n < 43:
		return dossier.Online
	case n < 48:
		return dossier.Postal
	}
	return dossier.Direct
}

// place is a unit's code that knows its kind from its form.
type place string

func (p place) isDistrict() bool { return len(p) == len(Root)+3 && p[len(Root)+1] >= '2' }

// handler is the unit in force on the day that handles the service: after the
// reorganisation the merged communes have taken over what districts did.
func handler(rnd *rand.Rand, s service, day dossier.Date) place {
	i := rnd.IntN(len(districts))
	switch {
	case s.where == atDepartment:
		return place(department(rnd.IntN(len(departments))))
	case day >= Reorganised:
		return place(merged(i, rnd.IntN(3)))
	case s.where == atDistrict:
		return place(districtCode(i))
	}
	return place(commune(i, rnd.IntN(6)))
}

// results in force: older than the dossiers, some expired, some revoked.
func results(rnd *rand.Rand, p Province) []dossier.Result {
	kinds := []struct {
		suffix, name string
		level        dossier.Level
		years        int // of validity; 0: permanent
	}{
		{"GP-UBND", "Giấy phép khai thác nước dưới đất", dossier.Province, 10},
		{"CCHN-SYT", "Chứng chỉ hành nghề khám bệnh, chữa bệnh", dossier.Province, 0},
		{"GCN-UBND", "Giấy chứng nhận quyền sử dụng đất", dossier.District, 0},
		{"GPXD-UBND", "Giấy phép xây dựng nhà ở riêng lẻ", dossier.District, 3},
		{"TLKS-BS", "Giấy khai sinh", dossier.Commune, 0},
		{"GXN-UBND", "Giấy xác nhận hộ nghèo", dossier.Commune, 1},
	}
	var out []dossier.Result
	for i := range 72 {
		k := kinds[i%len(kinds)]
		unit := department(i / len(kinds) % len(departments))
		switch k.level {
		case dossier.District:
			unit = districtCode(i % len(districts))
		case dossier.Commune:
			unit = commune(i%len(districts), i%6)
		}
		issued := dossier.DateOf(time.Date(2012+rnd.IntN(12), time.Month(1+rnd.IntN(12)), 1+rnd.IntN(28), 0, 0, 0, 0, dossier.Zone))
		r := dossier.Result{Number: fmt.Sprintf("%d/%s", 100+i, k.suffix), Unit: unit, AuthorityLevel: k.level,
			IssuedOn: issued, ValidFrom: issued, Name: k.name, Revoked: i%19 == 7}
		if k.years > 0 {
			r.ValidTo = issued + dossier.Date(k.years*10000)
		}
		out = append(out, r)
	}
	return out
}
