package blob

import (
	"bytes"
	"hash/crc32"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnistack/omnistack/platform/testkit"
)

// pattern is a body of so many bytes that costs nothing to make. It is the same however it is read.
type pattern struct{ at, size int64 }

func (p *pattern) Read(into []byte) (int, error) {
	if p.at == p.size {
		return 0, io.EOF
	}
	n := copy(into[:min(int64(len(into)), p.size-p.at)], block[p.at%int64(len(block)):])
	p.at += int64(n)
	return n, nil
}

// block is what a pattern repeats.
var block = bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog.\n\x00\xff"), 1394)

// watch returns the most that the heap has held until stop is called.
func watch() (stop func() uint64) {
	var most atomic.Uint64
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			most.Store(max(most.Load(), stats.HeapInuse))
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(ended)
		<-done
		return most.Load()
	}
}

// A gigabyte passes through in either direction, byte for byte, and the heap stays below 64 MiB.
func TestAGigabyteNeedsLittleMemory(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() || testkit.Raced() {
		size = 128 << 20
	}
	want := crc32.NewIEEE()
	if _, err := io.Copy(want, &pattern{size: size}); err != nil {
		t.Fatal(err)
	}
	for name, start := range subjects { // one after the other: the heap is everybody's
		t.Run(name, func(t *testing.T) {
			s := start(t)
			runtime.GC()
			began, stop := time.Now(), watch()
			if err := s.Put(t.Context(), "large", &pattern{size: size}, size, "application/zip"); err != nil {
				t.Fatal(err)
			}
			up := time.Since(began)
			file, err := s.Get(t.Context(), "large", 0, Whole)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			got := crc32.NewIEEE()
			read, err := io.CopyBuffer(struct{ io.Writer }{got}, struct{ io.Reader }{file}, make([]byte, 256<<10))
			most := stop()
			if err != nil || read != size || got.Sum32() != want.Sum32() {
				t.Errorf("%d bytes came back, %v", read, err)
			}
			t.Logf("%d MiB: put in %s, got in %s, the heap held %d MiB", size>>20, up, time.Since(began)-up, most>>20)
			if most > 64<<20 {
				t.Errorf("the heap held %d MiB", most>>20)
			}
			s.clean(t)
		})
	}
}

// So does an upload by a signed URL, and a download.
func TestALargeFileByLinksNeedsLittleMemory(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() || testkit.Raced() {
		size = 64 << 20
	}
	s := localSubject(t, t.TempDir())
	signed, err := s.PresignUpload(t.Context(), "large", size, "application/zip", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	target, err := s.PresignDownload(t.Context(), "large", "large.zip", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	stop := watch()
	sendLarge(t, signed, size)
	read := fetchLarge(t, target)
	if most := stop(); read != size || most > 64<<20 {
		t.Errorf("%d bytes came back, and the heap held %d MiB", read, most>>20)
	}
	s.clean(t)
}

func sendLarge(t testing.TB, signed Upload, size int64) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, &pattern{size: size})
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = size
	request.Header.Set("Content-Type", signed.Headers["Content-Type"])
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		t.Fatalf("it is answered %s", got.Status)
	}
}

func fetchLarge(t testing.TB, target string) int64 {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	read, err := io.Copy(io.Discard, got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return read
}
