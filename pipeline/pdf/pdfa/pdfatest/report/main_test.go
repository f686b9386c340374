package main

import (
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	in := `{"Action":"output","Package":"sohoa/pipeline/pdf","Test":"TestCorpus","Output":"    foreign_test.go:9: 7 files\n"}
not json
{"Action":"pass","Package":"sohoa/pipeline/pdf","Test":"TestCorpus"}
{"Action":"fail","Package":"sohoa/pipeline/pdf","Test":"TestMutants"}
{"Action":"output","Package":"sohoa/pipeline/pdf","Test":"TestCorpus/sub","Output":"    foreign_test.go:9: not this\n"}
`
	var out strings.Builder
	ok, err := report(strings.NewReader(in), &out, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if ok {
		t.Error("a failed test and missing ones make a good report")
	}
	for _, s := range []string{"2026-11-23", "- 7 files\n", "`TestMutants` of `pipeline/pdf` | **failed**", "`TestVerdicts` of `pipeline/pdf/signature` | **not run**", "`TestCorpus` of `pipeline/pdf` | shown"} {
		if !strings.Contains(out.String(), s) {
			t.Errorf("the report lacks %q", s)
		}
	}
	if strings.Contains(out.String(), "not this") {
		t.Error("a sub-test's line is taken for the test's")
	}
}
