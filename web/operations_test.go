package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"sohoa/dossier"
	"sohoa/storage/ledger"
	"sohoa/web"
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

// A backfill that goes through this server tells how far it is; nobody else speaks
// for it, and who may not send does not.
func TestTellRun(t *testing.T) {
	h := newHouse(t, setup{idle: true, options: func(o *web.Options) {
		o.Operations = func(ctx context.Context) (web.Operations, error) {
			runs, err := o.Runs.(*ledger.Ledger).Runs(ctx)
			return web.Operations{Runs: runs}, err
		}
	}})
	const path = "/api/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057"
	tell := func(token, body string) reply {
		return h.do(h.request("PUT", path, token, strings.NewReader(body), "Content-Type", "application/json"))
	}
	at := time.Now().Add(-time.Minute).Format(time.RFC3339)
	operator := h.token(dossier.Operator, "H51.10")
	for _, body := range []string{`{"host":"quet-1","started_at":"` + at + `","done":3,"total":10,"failed":1}`, `{"host":"quet-1","started_at":"` + at + `","done":7,"total":10,"failed":1}`} {
		if r := tell(operator, body); r.StatusCode != http.StatusNoContent {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
	// The same number out of another's mouth is another run.
	if r := tell(h.token(dossier.Operator, "H51.11"), `{"host":"quet-2","started_at":"`+at+`","done":10,"total":10,"failed":0,"ended":true}`); r.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	wantProblem(t, tell(h.token(dossier.Clerk, "H51.10"), `{"started_at":"`+at+`","done":1,"total":1,"failed":0}`), 403, "not-allowed")
	if r := tell(operator, `{"started_at":"`+at+`","done":-1,"total":1,"failed":0}`); r.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("less than nothing: %d", r.StatusCode)
	}
	page := string(h.visit(h.person(dossier.Admin, "H51"), "/operations").body)
	for _, want := range []string{"quet-1", "7 trên 10 dòng, 1 không", "đang chạy", "quet-2", "10 trên 10 dòng, 0 không"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q: %s", want, page)
		}
	}
	if strings.Contains(page, "3 trên 10") {
		t.Error("it stands there twice")
	}
}
