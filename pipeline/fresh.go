package pipeline

import (
	"container/list"
	"sync"

	"sohoa/dossier"
	"sohoa/storage"
)

// fresh keeps the bytes of what this process has just received, for the worker
// who is likely to be of this process, too: fetching them back from a store on
// another machine would double what the store has to do. Nobody relies on it.
type fresh struct {
	mu    sync.Mutex
	temps map[string]*list.Element // of order, by key
	order *list.List               // of freshTemp, the oldest first
	size  int64
}

type freshTemp struct {
	key  string
	temp *storage.Temp
}

// What is kept at most: a few seconds' scans.
const (
	mostFresh      = 64
	mostFreshBytes = 256 << 20
)

// newFresh returns nil where the store's files lie on this machine anyway.
func newFresh(s storage.Store) *fresh {
	if _, local := s.(interface{ SpoolDir() string }); local {
		return nil
	}
	return &fresh{temps: map[string]*list.Element{}, order: list.New()}
}

// keep takes the temporary file over; false: it stays its owner's.
func (f *fresh) keep(file dossier.File, t *storage.Temp) bool {
	if f == nil || file.Size > mostFreshBytes/4 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.order.Len() >= mostFresh || f.size+file.Size > mostFreshBytes {
		_ = f.remove(f.order.Front()).Close() // what is left in the spool folder is swept
	}
	f.temps[file.Key] = f.order.PushBack(freshTemp{file.Key, t})
	f.size += t.Size()
	return true
}

// take hands the bytes out, once; nil: they are not here.
func (f *fresh) take(file dossier.File) *storage.Temp {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.temps[file.Key]; e != nil {
		return f.remove(e)
	}
	return nil
}

func (f *fresh) remove(e *list.Element) *storage.Temp {
	t := f.order.Remove(e).(freshTemp)
	delete(f.temps, t.key)
	f.size -= t.temp.Size()
	return t.temp
}
