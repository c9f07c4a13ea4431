package httpserver

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/config"
)

// sink is a response writer that keeps nothing, so that what is measured is ours.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

type small struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// BenchmarkGet measures one authenticated GET of a small object through every stage, without the network.
func BenchmarkGet(b *testing.B) {
	object := small{ID: "01a214e3-d424-7aee-8d82-a112b91ec602", Name: "A project", CreatedAt: time.Unix(1_700_000_000, 0).UTC()}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	for name, log := range map[string]*zap.Logger{
		"log off": zap.NewNop(),
		"log on":  zap.New(zapcore.NewCore(encoder, zapcore.AddSync(io.Discard), zap.InfoLevel)),
	} {
		s := New(Options{HTTP: config.HTTP{APIPrefix: "/api/v1", BodyLimit: 1 << 20, RequestTimeout: time.Minute}, Auth: everyone{}}, log)
		Query(s.Router("test"), Route{Method: http.MethodGet, Path: "/app/things/{id}", Guard: User},
			func(_ context.Context, _ *struct {
				ID string `path:"id" maxLength:"255"`
			}) (*Object[small], error) {
				return &Object[small]{ETag: ETag(7), Body: object}, nil
			})
		b.Run(name, func(b *testing.B) { get(b, s.Handler()) })
	}
	bare := gin.New()
	bare.GET("/api/v1/app/things/:id", func(c *gin.Context) { c.JSON(http.StatusOK, object) })
	b.Run("bare gin", func(b *testing.B) { get(b, bare) })
}

func get(b *testing.B, handler http.Handler) {
	r := httptest.NewRequest(http.MethodGet, "/api/v1/app/things/01a214e3-d424-7aee-8d82-a112b91ec602", nil)
	r.Header.Set("Authorization", "Bearer token")
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(&sink{header: http.Header{}}, r)
	}
}

type everyone struct{}

func (everyone) Authenticate(context.Context, []string) (auth.Principal, error) {
	return auth.Principal{UserID: "01a214e3-d424-7aee-8d82-a112b91ec602", Role: auth.RoleUser}, nil
}
