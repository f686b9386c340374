package web_test

import (
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
)

// The page says in one sentence whether all is well, worst first, and what runs.
func TestOperations(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	admin, clerk := h.person(dossier.Admin, "H51"), h.person(dossier.Clerk, "H51.10")
	now := time.Now()
	is := func(class, text string) {
		t.Helper()
		r := h.visit(admin, "/operations")
		if !strings.Contains(string(r.body), `class="note `+class+`"`) || !strings.Contains(string(r.body), text) {
			t.Errorf("want %s, %q: %s", class, text, r.body)
		}
	}
	is("good", "chưa lần nào")
	worker := dossier.Run{ID: "1", Kind: dossier.Working, Host: "may-chu-1", StartedAt: now.Add(-time.Hour), SeenAt: now, Slots: 4}
	filling := dossier.Run{ID: "2", Kind: dossier.Backfill, Host: "may-chu-2", StartedAt: now.Add(-time.Hour), SeenAt: now, Done: 4200, Total: 10000, Failed: 3}
	h.runs = []dossier.Run{worker, filling}
	is("good", "4\u2009200 trên 10\u2009000 dòng, 3 không nhận được")
	is("good", "may-chu-2")
	if r := h.visit(clerk, "/operations"); strings.Contains(string(r.body), "may-chu") || !strings.Contains(string(r.body), "số hóa hồi cứu") {
		t.Error("a clerk sees the hosts' names, or not what runs")
	}
	filling.Waiting = "hours"
	h.runs = []dossier.Run{worker, filling}
	is("good", "chờ đến giờ được chạy")
	filling.EndedAt = now
	h.runs = []dossier.Run{worker, filling}
	is("good", "dừng giữa chừng")
	filling.EndedAt, filling.SeenAt = time.Time{}, now.Add(-time.Hour)
	h.runs = []dossier.Run{worker, filling}
	is("warn", "1 tiến trình không còn phản hồi")
	is("warn", "không phản hồi từ")

	h.checks = []dossier.Check{{ID: "2", Name: dossier.ByPlan, Deep: true, StartedAt: now, MovedAt: now, Stage: "archive", Documents: 12, Bytes: 5 << 20},
		{ID: "1", Name: dossier.ByHand, StartedAt: now.Add(-48 * time.Hour), EndedAt: now.Add(-47 * time.Hour), Documents: 300_000}}
	h.runs = []dossier.Run{worker}
	is("good", "đang kiểm tra kho")
	is("good", "300\u2009000 giấy tờ")
	h.checks[1].Differences = 2
	h.checked = h.checks[1]
	is("bad", "tìm thấy 2 sai khác")
	h.checks, h.checked = nil, dossier.Check{}

	// What waits without a worker is said before all else but the store.
	h.send(h.token(dossier.Clerk, "H51.10"), code("H51.10", 1), "component", "accept/page.png", "Prefer", "")
	h.runs = nil
	is("bad", "Không có tiến trình xử lý nào chạy")
	h.runs = []dossier.Run{worker}
	is("good", "Hệ thống chạy bình thường")
}

func TestBrowserOperations(t *testing.T) {
	h := newHouse(t, setup{idle: true})
	now := time.Now()
	h.runs = []dossier.Run{{ID: "2", Kind: dossier.Backfill, Host: "so-hoa-2", StartedAt: now.Add(-3 * time.Hour), SeenAt: now, Done: 42_310, Total: 100_000, Failed: 128},
		{ID: "1", Kind: dossier.Working, Host: "so-hoa-1", StartedAt: now.Add(-72 * time.Hour), SeenAt: now, Slots: 8}}
	h.checks = []dossier.Check{{ID: "2", Name: dossier.ByPlan, Deep: true, StartedAt: now.Add(-5 * time.Hour), MovedAt: now, Stage: "archive", Documents: 121_400, Bytes: 61 << 30},
		{ID: "1", Name: dossier.ByHandDeep, Deep: true, StartedAt: now.Add(-200 * time.Hour), EndedAt: now.Add(-190 * time.Hour), Documents: 298_112, Bytes: 150 << 30}}
	h.checked = h.checks[1]
	h.account("quan.tri", dossier.Admin, "H51", false)
	b := newBrowser(t, h)
	b.signIn("quan.tri")
	b.open("/operations")
	b.has("định kỳ")
	b.picture("operations")
}
