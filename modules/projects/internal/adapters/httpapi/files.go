package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/omnistack/omnistack/modules/projects/internal/app"
	"github.com/omnistack/omnistack/modules/projects/internal/domain"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// FilesAPI is the operations on the files of projects.
type FilesAPI struct {
	files   *app.Files
	address func(file domain.File) string
}

// RegisterFiles adds the operations to the router.
func RegisterFiles(r *httpserver.Router, files *app.Files) {
	const list, one = "/app/projects/{id}/files", "/app/projects/{id}/files/{file_id}"
	api := &FilesAPI{files: files, address: func(file domain.File) string {
		return r.URL("/app/projects/" + file.ProjectID + "/files/" + file.ID)
	}}

	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: list, Guard: httpserver.User,
		Summary: "List the files of a project", Errors: []int{http.StatusNotFound},
	}, api.list)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: list, Guard: httpserver.User,
		Summary: "Begin to upload a file: send it by the request in the answer, then complete it", Status: http.StatusCreated,
		Errors: []int{http.StatusNotFound, http.StatusPaymentRequired},
	}, api.begin)
	httpserver.Query(r, httpserver.Route{
		Method: http.MethodGet, Path: one, Guard: httpserver.User,
		Summary: "Get a file, with a URL that downloads it", Errors: []int{http.StatusNotFound},
	}, api.get)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodPost, Path: one + "/complete", Guard: httpserver.User, Outside: true,
		Summary: "Complete an upload: its size, its type and its content are looked at",
		Errors: []int{
			http.StatusNotFound, http.StatusConflict, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		},
	}, api.complete)
	httpserver.Mutation(r, httpserver.Route{
		Method: http.MethodDelete, Path: one, Guard: httpserver.User,
		Summary: "Delete a file", Errors: []int{http.StatusNotFound, http.StatusPreconditionFailed},
	}, api.delete)
}

// ProjectFile is a file as clients see it.
type ProjectFile struct {
	ID          string    `json:"id"`
	ProjectID   string    `json:"project_id"`
	Filename    string    `json:"filename"`
	ContentType string    `json:"content_type"`
	Size        int64     `json:"size" doc:"In bytes"`
	Status      string    `json:"status" enum:"pending,ready" doc:"pending until its upload was completed"`
	Upload      *Upload   `json:"upload,omitempty" doc:"The request that uploads it; only where the upload begins"`
	DownloadURL string    `json:"download_url,omitempty" doc:"Where it can be downloaded for the next 15 minutes; not in lists"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

// Upload is a request to send as it is, with the file as its body.
type Upload struct {
	Method    string            `json:"method"`
	URL       string            `json:"url" doc:"Whoever has it can upload: keep it to yourself"`
	Headers   map[string]string `json:"headers" nullable:"false" doc:"To be sent with it; browsers set Content-Length by themselves"`
	ExpiresAt time.Time         `json:"expires_at"`
}

func toFile(file domain.File) ProjectFile {
	status := "pending"
	if file.Ready() {
		status = "ready"
	}
	return ProjectFile{
		ID: file.ID, ProjectID: file.ProjectID, Filename: file.Filename, ContentType: file.Type, Size: file.Size, Status: status,
		CreatedAt: file.CreatedAt, UpdatedAt: file.UpdatedAt,
	}
}

func toFileObject(file domain.File, url string) *httpserver.Object[ProjectFile] {
	shown := toFile(file)
	shown.DownloadURL = url
	return &httpserver.Object[ProjectFile]{ETag: httpserver.ETag(file.Version), Body: shown}
}

// FileInput names one file. It is exported because huma passes over what an unexported embedded struct holds.
type FileInput struct {
	ID     string `path:"id" maxLength:"255"`
	FileID string `path:"file_id" maxLength:"255"`
}

type filesInput struct {
	OneInput
	httpserver.Paging
	Sort app.Sort `query:"sort" enum:"-created_at,created_at" default:"-created_at" doc:"A minus turns the order round"`
}

func (a *FilesAPI) list(ctx context.Context, in *filesInput) (*httpserver.List[ProjectFile], error) {
	wanted, err := in.Page()
	if err != nil {
		return nil, err
	}
	found, err := a.files.List(ctx, httpserver.Principal(ctx).Scope(), in.ID, in.Sort, wanted)
	if err != nil {
		return nil, err
	}
	return httpserver.ListOf(found, toFile), nil
}

func (a *FilesAPI) get(ctx context.Context, in *FileInput) (*httpserver.Object[ProjectFile], error) {
	file, url, err := a.files.Get(ctx, httpserver.Principal(ctx).Scope(), in.ID, in.FileID)
	if err != nil {
		return nil, err
	}
	return toFileObject(file, url), nil
}

// NewProjectFile says which file is to come.
type NewProjectFile struct {
	Filename    string `json:"filename" minLength:"1" maxLength:"255" doc:"A name without a path"`
	ContentType string `json:"content_type" minLength:"1" maxLength:"255" doc:"A media type in lower case, without parameters"`
	Size        int64  `json:"size" minimum:"1" doc:"In bytes, exactly"`
}

type beginInput struct {
	OneInput
	Body NewProjectFile
}

func (a *FilesAPI) begin(ctx context.Context, in *beginInput) (httpserver.Commit[httpserver.Object[ProjectFile]], error) {
	draft := domain.FileDraft{Filename: in.Body.Filename, Type: in.Body.ContentType, Size: in.Body.Size}
	begun, err := a.files.Prepare(ctx, httpserver.Principal(ctx).Scope(), in.ID, draft)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Object[ProjectFile], error) {
		if err := a.files.Begin(ctx, begun); err != nil {
			return nil, err
		}
		out := toFileObject(begun.File, "")
		out.Body.Upload = new(Upload(begun.Upload))
		out.Location = a.address(begun.File)
		return out, nil
	}, nil
}

func (a *FilesAPI) complete(ctx context.Context, in *FileInput) (httpserver.Commit[httpserver.Object[ProjectFile]], error) {
	inspected, err := a.files.Inspect(ctx, httpserver.Principal(ctx).Scope(), in.ID, in.FileID)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Object[ProjectFile], error) {
		file, err := a.files.Accept(ctx, inspected)
		if err != nil {
			return nil, err
		}
		return toFileObject(file, ""), nil
	}, nil
}

type deleteFileInput struct {
	FileInput
	httpserver.IfMatch
}

func (a *FilesAPI) delete(_ context.Context, in *deleteFileInput) (httpserver.Commit[httpserver.Empty], error) {
	version, err := in.Version()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*httpserver.Empty, error) {
		return &httpserver.Empty{}, a.files.Delete(ctx, httpserver.Principal(ctx).Scope(), in.ID, in.FileID, version)
	}, nil
}
