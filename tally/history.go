package tally

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sohoa/dossier"
)

// UnitEvent is something that happened to a unit on a day.
type UnitEvent struct {
	Day  dossier.Date
	Text dossier.Text
}

// UnitHistory tells a unit's life from the register, the oldest first: when it
// began and from whom, what it was called and where it stood, who went over into
// it, when it ended and who answers for it since. A bound that the register
// leaves open is no event.
func UnitHistory(units []dossier.Unit, code dossier.UnitCode) []UnitEvent {
	var rows []dossier.Unit
	name := map[dossier.UnitCode]string{}
	for _, u := range units {
		if u.Code == code {
			rows = append(rows, u)
		}
		if _, ok := name[u.Code]; !ok || u.ValidTo == 0 {
			name[u.Code] = u.Name
		}
	}
	slices.SortFunc(rows, func(a, b dossier.Unit) int {
		return cmp.Or(cmp.Compare(a.ValidFrom, b.ValidFrom), cmp.Compare(a.ValidTo, b.ValidTo), cmp.Compare(a.Name, b.Name))
	})
	called := func(c dossier.UnitCode) string {
		if n := name[c]; n != "" {
			return n + " (" + string(c) + ")"
		}
		return string(c)
	}
	// Those that went over into it, by the day they ended.
	joined := map[dossier.Date][]string{}
	for _, u := range units {
		if u.Successor == code && u.Code != code && u.ValidTo != 0 {
			joined[u.ValidTo] = append(joined[u.ValidTo], called(u.Code))
		}
	}
	var out []UnitEvent
	say := func(day dossier.Date, vi, en string) {
		out = append(out, UnitEvent{day, dossier.Text{VI: vi, EN: en}})
	}
	for n, u := range rows {
		if n > 0 && rows[n-1].ValidTo == u.ValidFrom && u.ValidFrom != 0 { // goes on
			before := rows[n-1]
			if before.Name != u.Name {
				say(u.ValidFrom, fmt.Sprintf("đổi tên từ %s thành %s", before.Name, u.Name), fmt.Sprintf("renamed from %s to %s", before.Name, u.Name))
			}
			if before.Parent != u.Parent && u.Parent != "" {
				say(u.ValidFrom, "chuyển về trực thuộc "+called(u.Parent), "placed under "+called(u.Parent))
			}
			if before.Level != u.Level {
				say(u.ValidFrom, "đổi cấp đơn vị", "its level changed")
			}
		} else if u.ValidFrom != 0 {
			vi, en := "thành lập", "founded"
			if from := joined[u.ValidFrom]; len(from) > 0 {
				slices.Sort(from)
				vi += " trên cơ sở " + strings.Join(from, ", ")
				en += " from " + strings.Join(from, ", ")
				delete(joined, u.ValidFrom)
			}
			say(u.ValidFrom, vi, en)
		}
		goesOn := n+1 < len(rows) && rows[n+1].ValidFrom == u.ValidTo
		switch {
		case u.ValidTo == 0 || goesOn:
		case u.Successor != "" && u.Successor != code:
			say(u.ValidTo, "kết thúc; kế thừa: "+called(u.Successor), "ended; succeeded by "+called(u.Successor))
		default:
			say(u.ValidTo, "kết thúc, không có đơn vị kế thừa; số liệu tính vào đơn vị cấp trên", "ended without a successor; its parent answers for it")
		}
	}
	for day, from := range joined {
		slices.Sort(from)
		say(day, "tiếp nhận "+strings.Join(from, ", "), "took over "+strings.Join(from, ", "))
	}
	slices.SortStableFunc(out, func(a, b UnitEvent) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Text.VI, b.Text.VI)) })
	return out
}
