//scaffold:needs projects

package api

import "github.com/omnistack/omnistack/platform/testkit"

const projects = api + "/app/projects"

// projectsAccesses are the cases of the routes of projects.
var projectsAccesses = []access{
	{route: "GET " + projects, want: reads(200, 200)},
	{route: "POST " + projects, want: writes(201, 201), body: `{"name": "Gemini"}`},
	{route: "GET " + projects + "/{id}", want: reads(200, 404), path: (*matrix).project, hides: (*matrix).project},
	{route: "PATCH " + projects + "/{id}", want: writes(200, 404), path: (*matrix).project, body: `{"name": "Mine now"}`},
	{route: "DELETE " + projects + "/{id}", want: writes(204, 404), path: (*matrix).project},
	{route: "GET " + projects + "/{id}/files", want: reads(200, 404), path: (*matrix).files},
	{route: "POST " + projects + "/{id}/files", want: writes(201, 404), path: (*matrix).files, body: smallFile},
	{route: "GET " + projects + "/{id}/files/{file_id}", want: reads(200, 404), path: (*matrix).file},
	{route: "POST " + projects + "/{id}/files/{file_id}/complete", want: writes(409, 404), path: func(m *matrix) string { return m.file() + "/complete" }},
	{route: "DELETE " + projects + "/{id}/files/{file_id}", want: writes(204, 404), path: (*matrix).file},
}

// project makes a project of the owner's.
func (m *matrix) project() string {
	return m.as(owner).Do(m.t, "POST", projects, testkit.Body(`{"name": "Secret Plans"}`)).Want(201).Header.Get("Location")
}

// files returns where the files of a project of the owner's are.
func (m *matrix) files() string { return m.project() + "/files" }

const smallFile = `{"filename": "a.txt", "content_type": "text/plain", "size": 1}`

// file begins to upload a file of the owner's.
func (m *matrix) file() string {
	return m.as(owner).Do(m.t, "POST", m.files(), testkit.Body(smallFile)).Want(201).Header.Get("Location")
}
