package pdf

import (
	"os/exec"
	"strings"
	"testing"
)

func TestStartGivesSlack(t *testing.T) {
	cmd := exec.Command("cat", "/proc/self/timerslack_ns")
	var out strings.Builder
	cmd.Stdout = &out
	if err := start(cmd, 0); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != "2000000" {
		t.Errorf("a child may be woken %s ns late", got)
	}
}
