package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/users/internal/app"
	"github.com/omnistack/omnistack/modules/users/internal/domain"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// ExportsAPI is the operations on exports.
type ExportsAPI struct {
	exports *app.Exports
	address func(exportID string) string
}

// RegisterExports adds the operations to the router. Only people export: a key that leaks must not give everything away.
func RegisterExports(r *httpserver.Router, exports *app.Exports) {
	const list = "/app/users/me/exports"
	api := &ExportsAPI{exports: exports, address: func(exportID string) string { return r.URL(list + "/" + exportID) }}
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: list, Guard: httpserver.User, People: true,
		Summary: "Have all that we hold about you exported", Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, api.ask)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list + "/{id}", Guard: httpserver.User, People: true,
		Summary: "See how an export stands, and where it can be downloaded", Errors: []int{http.StatusNotFound},
	}, api.get)
}

// DataExport is an export as its owner sees it.
type DataExport struct {
	ID        string          `json:"id"`
	Status    string          `json:"status" enum:"queued,running,ready,failed"`
	Progress  *ExportProgress `json:"progress,omitempty" doc:"How far it has come, while it is running"`
	URL       string          `json:"url,omitempty" doc:"Where it can be downloaded for the next 15 minutes, once it is ready. Whoever has it can open it: keep it to yourself"`
	ExpiresAt *time.Time      `json:"expires_at,omitempty" doc:"When it is deleted, once it is ready"`
	CreatedAt time.Time       `json:"created_at"`
}

// ExportProgress is how many parts of the product have been exported.
type ExportProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

func toExport(export domain.Export, url string) *httpserver.Object[DataExport] {
	shown := DataExport{
		ID: export.ID, Status: string(export.Status), URL: url, ExpiresAt: export.ExpiresAt, CreatedAt: export.CreatedAt,
	}
	if export.Status == domain.ExportRunning {
		shown.Progress = &ExportProgress{Done: export.Done, Total: export.Total}
	}
	return &httpserver.Object[DataExport]{Body: shown}
}

func (a *ExportsAPI) ask(context.Context, *struct{}) (httpserver.Commit[httpserver.Object[DataExport]], error) {
	return func(ctx context.Context) (*httpserver.Object[DataExport], error) {
		export, err := a.exports.Ask(ctx, httpserver.Principal(ctx).Scope())
		if err != nil {
			return nil, ofCaller(err)
		}
		out := toExport(export, "")
		out.Location = a.address(export.ID)
		return out, nil
	}, nil
}

func (a *ExportsAPI) get(ctx context.Context, in *OneInput) (*httpserver.Object[DataExport], error) {
	export, url, err := a.exports.Get(ctx, httpserver.Principal(ctx).Scope(), in.ID)
	if err != nil {
		return nil, err
	}
	return toExport(export, url), nil
}
