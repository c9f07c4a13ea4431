package projects

import "github.com/omnistack/omnistack/platform/events"

// ProjectCreated says that a project exists now.
type ProjectCreated struct {
	ProjectID string `json:"project_id"`
	OwnerID   string `json:"owner_id"`
	Version   int64  `json:"version"`
}

// ProjectRenamed says that a project has another name now. Ask the Catalog which.
type ProjectRenamed struct {
	ProjectID string `json:"project_id"`
	OwnerID   string `json:"owner_id"`
	Version   int64  `json:"version"`
}

// ProjectDeleted says that a project is gone for its owner. It isn't said of each project of an owner who is erased.
type ProjectDeleted struct {
	ProjectID string `json:"project_id"`
	OwnerID   string `json:"owner_id"`
	Version   int64  `json:"version"`
}

// FileAdded says that a project has a file more, which can be downloaded now.
type FileAdded struct {
	FileID    string `json:"file_id"`
	ProjectID string `json:"project_id"`
	OwnerID   string `json:"owner_id"`
	Size      int64  `json:"size"` // bytes
	Version   int64  `json:"version"`
}

// FileDeleted says that a file is gone. It isn't said of each file of a project that is deleted, nor of those of an owner who is
// erased.
type FileDeleted struct {
	FileID    string `json:"file_id"`
	ProjectID string `json:"project_id"`
	OwnerID   string `json:"owner_id"`
	Version   int64  `json:"version"`
}

// Published returns the events of the context.
func Published() []events.Event {
	return []events.Event{ProjectCreated{}, ProjectRenamed{}, ProjectDeleted{}, FileAdded{}, FileDeleted{}}
}

// EventName returns the golden name.
func (ProjectCreated) EventName() string { return "projects.project_created.v1" }

// EventName returns the golden name.
func (ProjectRenamed) EventName() string { return "projects.project_renamed.v1" }

// EventName returns the golden name.
func (ProjectDeleted) EventName() string { return "projects.project_deleted.v1" }

// Aggregate returns the project.
func (e ProjectCreated) Aggregate() (id string, version int64) { return e.ProjectID, e.Version }

// Aggregate returns the project.
func (e ProjectRenamed) Aggregate() (id string, version int64) { return e.ProjectID, e.Version }

// Aggregate returns the project.
func (e ProjectDeleted) Aggregate() (id string, version int64) { return e.ProjectID, e.Version }

// EventName returns the golden name.
func (FileAdded) EventName() string { return "projects.file_added.v1" }

// EventName returns the golden name.
func (FileDeleted) EventName() string { return "projects.file_deleted.v1" }

// Aggregate returns the file.
func (e FileAdded) Aggregate() (id string, version int64) { return e.FileID, e.Version }

// Aggregate returns the file.
func (e FileDeleted) Aggregate() (id string, version int64) { return e.FileID, e.Version }
