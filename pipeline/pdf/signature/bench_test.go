package signature_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"sohoa/internal/testneed"
	"sohoa/pipeline/pdf/signature"
)

func load(b *testing.B, name string) []byte {
	b.Helper()
	data, err := os.ReadFile(filepath.Join(testneed.Root(b), "testdata", "accept", name))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	return data
}

// What every document pays, signed or not, beside the SHA-256 of the same bytes.
func BenchmarkDetect(b *testing.B) {
	data := load(b, "scan-a4-colour-linearised.pdf")
	for b.Loop() {
		if ok, err := signature.Detect(bytes.NewReader(data), int64(len(data))); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkSHA256(b *testing.B) {
	for _, name := range []string{"scan-a4-colour-linearised.pdf", "signed-rsa-pades.pdf"} {
		b.Run(name, func(b *testing.B) {
			data := load(b, name)
			for b.Loop() {
				sha256.Sum256(data)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, name := range []string{"signed-rsa-pades.pdf", "signed-twice-born-digital.pdf"} {
		b.Run(name, func(b *testing.B) {
			data := load(b, name)
			for b.Loop() {
				rep, err := signature.Verify(context.Background(), bytes.NewReader(data), int64(len(data)), nil, signature.Trust{}, judgedAt)
				if err != nil || !rep.Legal {
					b.Fatal(err, rep)
				}
			}
		})
	}
}
