package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"sohoa/dossier"
	"sohoa/storage"
)

func TestFresh(t *testing.T) {
	dir := t.TempDir()
	temp := func(n int) (dossier.File, *storage.Temp) {
		tmp, err := storage.Spool(dir, bytes.NewReader(make([]byte, n)), 0)
		if err != nil {
			t.Fatal(err)
		}
		return dossier.File{Key: fmt.Sprintf("k/%p", tmp), Size: tmp.Size()}, tmp
	}
	f := newFresh(nil)
	first, firstTemp := temp(10)
	if !f.keep(first, firstTemp) {
		t.Fatal("not kept")
	}
	var last dossier.File
	for range mostFresh {
		file, tmp := temp(1000)
		f.keep(file, tmp)
		last = file
	}
	if f.take(first) != nil {
		t.Error("the oldest was not dropped")
	}
	if _, err := os.Stat(firstTemp.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dropped one's file is still there: %v", err)
	}
	got := f.take(last)
	if got == nil || f.take(last) != nil {
		t.Fatal("not handed out once")
	}
	if _, err := os.Stat(got.Path()); err != nil {
		t.Error(err)
	}
	if want := int64(mostFresh-1) * 1000; f.size != want || f.order.Len() != mostFresh-1 {
		t.Errorf("%d bytes of %d files, want %d", f.size, f.order.Len(), want)
	}
	huge, hugeTemp := temp(1)
	huge.Size = mostFreshBytes
	if f.keep(huge, hugeTemp) {
		t.Error("a huge file was kept")
	}
	var none *fresh
	if none.keep(last, got) || none.take(last) != nil {
		t.Error("nobody keeps something")
	}
}
