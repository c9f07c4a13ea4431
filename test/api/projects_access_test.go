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
}

// project makes a project of the owner's.
func (m *matrix) project() string {
	return m.as(owner).Do(m.t, "POST", projects, testkit.Body(`{"name": "Secret Plans"}`)).Want(201).Header.Get("Location")
}
