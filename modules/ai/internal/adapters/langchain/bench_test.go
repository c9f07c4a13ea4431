package langchain_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"
)

// deaf hears everything and keeps nothing.
type deaf struct{ listener }

func (*deaf) Text(string) error { return nil }

// memory answers at once, from memory.
type memory struct {
	mediaType string
	body      []byte
}

func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, r.Body)
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {m.mediaType}}, Body: io.NopCloser(bytes.NewReader(m.body)), Request: r,
	}, err
}

// BenchmarkStream measures a stream of 200 pieces from memory: ours by each dialect, beside langchaingo's own reading of it
// and, as the floor, reading its bytes.
func BenchmarkStream(b *testing.B) {
	for _, d := range tongues() {
		pieces := append([]string(nil), d.pieces[:3]...)
		for range 199 {
			pieces = append(pieces, d.pieces[2])
		}
		m := memory{asEvents, []byte(stream(append(pieces, d.pieces[d.cut:]...)...))}
		b.Run(d.name, func(b *testing.B) {
			provider := d.through(b, m)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := provider.Generate(b.Context(), d.asked(), &deaf{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		if d.name == "chat" {
			b.Run("langchaingo", func(b *testing.B) {
				naively(b, m, llms.WithStreamingFunc(func(context.Context, []byte) error { return nil }))
			})
			b.Run("floor", func(b *testing.B) { asBytes(b, m) })
		}
	}
}

// BenchmarkAnswer measures an answer of 900 bytes in one piece in the same way.
func BenchmarkAnswer(b *testing.B) {
	for _, d := range tongues() {
		m := memory{asJSON, bytes.Replace([]byte(d.whole), []byte("Hello world"), bytes.Repeat([]byte("x"), 900), 1)}
		b.Run(d.name, func(b *testing.B) {
			provider := d.through(b, m)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := provider.Generate(b.Context(), d.asked(), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		if d.name == "chat" {
			b.Run("langchaingo", func(b *testing.B) { naively(b, m) })
			b.Run("floor", func(b *testing.B) { asBytes(b, m) })
		}
	}
}

// naively has langchaingo do it all.
func naively(b *testing.B, m memory, options ...llms.CallOption) {
	b.Helper()
	model, err := openai.New(openai.WithToken("k"), openai.WithModel("gpt"), openai.WithHTTPClient(&http.Client{Transport: m}))
	if err != nil {
		b.Fatal(err)
	}
	asked := []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, canary)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := model.GenerateContent(b.Context(), asked, options...); err != nil {
			b.Fatal(err)
		}
	}
}

func asBytes(b *testing.B, m memory) {
	b.Helper()
	client := http.Client{Transport: m}
	b.ReportAllocs()
	for b.Loop() {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://them.test", bytes.NewReader([]byte(canary)))
		if err != nil {
			b.Fatal(err)
		}
		answer, err := client.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, answer.Body); err != nil || n != int64(len(m.body)) {
			b.Fatal(fmt.Errorf("%d bytes, %w", n, err))
		}
		_ = answer.Body.Close()
	}
}
