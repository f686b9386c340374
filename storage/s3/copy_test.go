package s3

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"sohoa/internal/testneed"
	"sohoa/storage"
	"sohoa/storage/disk"
	"sohoa/storage/storagetest"
	"sohoa/storage/storagetest/servers"
)

func openDisk(t testing.TB) (*disk.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, dir
}

// TestMove takes an archive from one machine to a cluster, to another cluster
// and back, and compares.
func TestMove(t *testing.T) {
	from, _ := openDisk(t)
	for i := range 30 {
		body := storagetest.Random(uint64(i), 1000*i)
		if i == 7 {
			body = storagetest.Random(7, 40<<20) // in parts, and fetched in ranges
		}
		info := storage.Info{ContentType: "application/pdf", Meta: map[string]string{"name": "Giấy phép số " + fmt.Sprint(i)}}
		if err := from.Put(t.Context(), storage.Key(fmt.Sprintf("dossiers/hồ sơ/%d/original.pdf", i)), bytes.NewReader(body), info); err != nil {
			t.Fatal(err)
		}
	}
	back, _ := openDisk(t)
	minio, versity := onServer(t, servers.MinIO, nil), onServer(t, servers.Versity, nil)
	for _, hop := range []struct {
		from, to storage.Store
		spool    string
	}{{from, minio, ""}, {minio, versity, t.TempDir()}, {versity, back, ""}} {
		p, err := storage.Copy(t.Context(), hop.from, hop.to, storage.CopyOptions{Spool: hop.spool, ReadBack: true})
		if err != nil || p.Copied != 30 || len(p.Faults) != 0 {
			t.Fatalf("Copy = %+v, %v", p, err)
		}
	}
	n := 0
	for i, err := range from.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
		want, err := from.Stat(t.Context(), i.Key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := back.Stat(t.Context(), i.Key)
		if err != nil {
			t.Fatal(err)
		}
		sha, err := storage.Hash(t.Context(), back, i.Key)
		if err != nil || sha != want.SHA256 || got.ContentType != want.ContentType || fmt.Sprint(got.Meta) != fmt.Sprint(want.Meta) {
			t.Errorf("%q came back as %+v with digest %s, %v; want %+v", i.Key, got, sha, err, want)
		}
	}
	if n != 30 {
		t.Errorf("the source holds %d objects", n)
	}
}

// BenchmarkCopy copies 200 scans from a directory to MinIO, beside `rclone copy`
// with as many transfers.
func BenchmarkCopy(b *testing.B) {
	const scans = 200
	from, dir := openDisk(b)
	for i := range scans {
		if err := from.Put(b.Context(), storage.Key(fmt.Sprintf("dossiers/%d/original.pdf", i)), bytes.NewReader(storagetest.Random(uint64(i), scanSize)), storage.Info{}); err != nil {
			b.Fatal(err)
		}
	}
	for _, workers := range []int{4, 8} {
		b.Run(fmt.Sprintf("sohoa/workers=%d", workers), func(b *testing.B) {
			b.SetBytes(scans * scanSize)
			for range b.N {
				b.StopTimer()
				to := onServer(b, servers.MinIO, nil)
				b.StartTimer()
				if p, err := storage.Copy(b.Context(), from, to, storage.CopyOptions{Workers: workers}); err != nil || p.Copied != scans {
					b.Fatalf("%+v, %v", p, err)
				}
			}
		})
		b.Run(fmt.Sprintf("rclone/transfers=%d", workers), func(b *testing.B) {
			rclone := testneed.Tool(b, "rclone", "apt-get install rclone")
			b.SetBytes(scans * scanSize)
			for range b.N {
				b.StopTimer()
				to := onServer(b, servers.MinIO, nil)
				cmd := exec.Command(rclone, "copy", filepath.Join(dir, "dossiers"), "kho:"+to.opt.Bucket+"/dossiers", "--transfers", fmt.Sprint(workers))
				cmd.Env = rcloneEnv(to, dir)
				b.StartTimer()
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("rclone: %v\n%s", err, out)
				}
			}
		})
	}
}

func rcloneEnv(s *Store, home string) []string {
	return servers.Rclone(home, s.opt.Endpoint, s.opt.AccessKey, s.opt.SecretKey)
}
