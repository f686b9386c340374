package storage_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"sohoa/internal/testneed"
	"sohoa/storage"
	"sohoa/storage/storagetest"
)

// BenchmarkHash reads 100 scans of a directory store for their digests, one
// after the other, beside sha256sum over the same files.
func BenchmarkHash(b *testing.B) {
	const scans, size = 100, 900_000
	s, dir := openDisk(b)
	var files []string
	for i := range scans {
		key := storage.Key(fmt.Sprintf("dossiers/%d/original.pdf", i))
		if err := s.Put(b.Context(), key, bytes.NewReader(storagetest.Random(uint64(i), size)), storage.Info{}); err != nil {
			b.Fatal(err)
		}
		files = append(files, filepath.Join(dir, string(key)))
	}
	b.Run("sohoa", func(b *testing.B) {
		b.SetBytes(scans * size)
		for b.Loop() {
			for i := range scans {
				if _, err := storage.Hash(b.Context(), s, storage.Key(fmt.Sprintf("dossiers/%d/original.pdf", i))); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("sha256sum", func(b *testing.B) {
		sum := testneed.Tool(b, "sha256sum", "apt-get install coreutils")
		b.SetBytes(scans * size)
		for b.Loop() {
			if err := exec.Command(sum, files...).Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
