package dossier

import "testing"

func TestTextFor(t *testing.T) {
	files := Text{VI: "%s tệp đang chờ", EN: "%s {file waits|files wait}, {it|they} will go"}
	if got, want := files.For(true), (Text{VI: "%s tệp đang chờ", EN: "%s file waits, it will go"}); got != want {
		t.Errorf("of one: %v, want %v", got, want)
	}
	if got, want := files.For(false), (Text{VI: "%s tệp đang chờ", EN: "%s files wait, they will go"}); got != want {
		t.Errorf("of several, or none: %v, want %v", got, want)
	}
}
