package blob

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sigv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/testkit"
)

// benchSize is the size of the files that are measured.
const benchSize = 100 << 20

// A file goes in and out of the folder, beside the same bytes copied from file to file as cp does it, and synced.
func BenchmarkLocal(b *testing.B) {
	b.Run("copied", func(b *testing.B) {
		folder := b.TempDir()
		from, to := filepath.Join(folder, "from"), filepath.Join(folder, "to")
		b.SetBytes(2 * benchSize)
		for b.Loop() {
			writeFile(b, from, &pattern{size: benchSize})
			source, err := os.Open(from)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(struct{ io.Writer }{io.Discard}, source); err != nil {
				b.Fatal(err)
			}
			source.Close()
			if err := os.Rename(from, to); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("store", func(b *testing.B) { putAndGet(b, openLocal(b, b.TempDir(), clock.System{})) })
}

// writeFile writes a file down to the disk.
func writeFile(b *testing.B, name string, content io.Reader) {
	file, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(file, content); err != nil {
		b.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
}

func putAndGet(b *testing.B, s Store) {
	b.SetBytes(2 * benchSize)
	for b.Loop() {
		if err := s.Put(b.Context(), "bench/file", &pattern{size: benchSize}, benchSize, "application/zip"); err != nil {
			b.Fatal(err)
		}
		file, err := s.Get(b.Context(), "bench/file", 0, Whole)
		if err != nil {
			b.Fatal(err)
		}
		read, err := io.Copy(io.Discard, file)
		if err != nil || read != benchSize {
			b.Fatal(read, err)
		}
		file.Close()
	}
}

// A file goes to a bucket and comes back, beside what the library needs for it by itself.
func BenchmarkS3(b *testing.B) {
	b.Run("library", func(b *testing.B) {
		server := testkit.S3(b)
		client := s3.New(s3.Options{
			Region: server.Region, BaseEndpoint: &server.Endpoint, UsePathStyle: true,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: server.AccessKeyID, SecretAccessKey: server.SecretAccessKey}, nil
			}),
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
			ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		})
		b.SetBytes(2 * benchSize)
		for b.Loop() {
			_, err := client.PutObject(b.Context(), &s3.PutObjectInput{
				Bucket: &server.Bucket, Key: aws.String("bench/file"), Body: &pattern{size: benchSize}, ContentLength: aws.Int64(benchSize),
			}, s3.WithAPIOptions(sigv4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
			if err != nil {
				b.Fatal(err)
			}
			answer, err := client.GetObject(b.Context(), &s3.GetObjectInput{Bucket: &server.Bucket, Key: aws.String("bench/file")})
			if err != nil {
				b.Fatal(err)
			}
			if read, err := io.Copy(io.Discard, answer.Body); err != nil || read != benchSize {
				b.Fatal(read, err)
			}
			answer.Body.Close()
		}
	})
	b.Run("store", func(b *testing.B) { putAndGet(b, NewS3(optionsOf(testkit.S3(b)), clock.System{})) })
}

func BenchmarkPresign(b *testing.B) {
	for name, s := range map[string]Store{"local": openLocal(b, b.TempDir(), clock.System{}), "s3": storeAt("http://localhost:9000")} {
		b.Run(name+"/upload", func(b *testing.B) {
			for b.Loop() {
				if _, err := s.PresignUpload(b.Context(), "projects/42/report.pdf", 1<<20, "application/pdf", time.Hour); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/download", func(b *testing.B) {
			for b.Loop() {
				if _, err := s.PresignDownload(b.Context(), "projects/42/report.pdf", "Übersicht 2026.pdf", time.Hour); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
