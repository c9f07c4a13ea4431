//scaffold:needs projects

package e2e

import (
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

const (
	me       = "/api/v1/app/users/me"
	projects = "/api/v1/app/projects"
)

// person is somebody at a keyboard.
type person struct{ api *testkit.API }

func (p person) get(path string, parts ...testkit.Part) *testkit.Response {
	GinkgoHelper()
	return p.api.Do(GinkgoTB(), http.MethodGet, path, parts...)
}

func (p person) post(path, body string, parts ...testkit.Part) *testkit.Response {
	GinkgoHelper()
	return p.api.Do(GinkgoTB(), http.MethodPost, path, append(parts, testkit.Body(body))...)
}

func (p person) patch(path, body string, parts ...testkit.Part) *testkit.Response {
	GinkgoHelper()
	return p.api.Do(GinkgoTB(), http.MethodPatch, path, append(parts, testkit.Body(body))...)
}

func (p person) delete(path string, parts ...testkit.Part) *testkit.Response {
	GinkgoHelper()
	return p.api.Do(GinkgoTB(), http.MethodDelete, path, parts...)
}

func ifMatch(etag string) testkit.Part     { return testkit.Header("If-Match", etag) }
func ifNoneMatch(etag string) testkit.Part { return testkit.Header("If-None-Match", etag) }

// names returns the names of a list's items, in its order.
func names(list *testkit.Response) []string {
	GinkgoHelper()
	found := []string{}
	for _, item := range list.Want(200).JSON("items").([]any) {
		found = append(found, item.(map[string]any)["name"].(string))
	}
	return found
}

var _ = Describe("The life of a project", func() {
	for _, engine := range testkit.Engines() {
		Describe("on "+string(engine), Ordered, func() {
			var app *apptest.App
			var alice, bob, stranger person
			var apollo, etag string // the project's address and its version

			BeforeAll(func() {
				app = apptest.Start(GinkgoTB(), engine)
				as := func(claims auth.DevClaims) person { return person{app.As(app.Token(GinkgoTB(), claims))} }
				alice = as(auth.DevClaims{Subject: "alice", Email: "alice@example.com", Name: "Alice"})
				bob = as(auth.DevClaims{Subject: "bob"})
				stranger = person{app.API}
			})

			// row is what the database holds of Apollo.
			row := func() map[string]any {
				GinkgoHelper()
				rows := app.Rows(GinkgoTB(), "projects", "created_at")
				Expect(rows).NotTo(BeEmpty())
				return rows[0]
			}

			It("begins with a stranger, who is let in nowhere", func() {
				stranger.get(projects).WantError(401, "UNAUTHENTICATED").WantHeader("WWW-Authenticate", `Bearer realm="api"`)
				stranger.post(projects, `{"name": "Apollo"}`).WantError(401, "UNAUTHENTICATED")
				Expect(testkit.Rows(GinkgoTB(), app.DB, "projects", "")).To(BeZero())
			})

			It("makes a user of whoever comes with a good token", func() {
				By("asking who she is, for the first time")
				first := alice.get(me).Want(200)
				first.WantJSON("id", "alice").WantJSON("email", "alice@example.com").WantJSON("full_name", "Alice").
					WantJSON("avatar_url", nil).WantJSON("role", "user").WantJSON("is_active", true).
					WantJSON("subscription_status", nil).WantJSON("subscription_plan", nil)
				By("asking again")
				Expect(alice.get(me).Want(200).Body).To(Equal(first.Body))
				By("counting")
				Expect(testkit.Rows(GinkgoTB(), app.DB, "users", "")).To(Equal(1))
				Expect(testkit.Rows(GinkgoTB(), app.DB, "users_identities", "")).To(Equal(1))
			})

			It("lets her say who she is", func() {
				before := alice.get(me).Want(200).Header.Get("ETag")
				By("setting one field and leaving the other")
				changed := alice.patch(me, `{"avatar_url": "https://example.com/alice.png"}`).Want(200)
				changed.WantJSON("full_name", "Alice").WantJSON("avatar_url", "https://example.com/alice.png")
				By("clearing it again")
				alice.patch(me, `{"avatar_url": null, "full_name": "Alice Liddell"}`, ifMatch(changed.Header.Get("ETag"))).Want(200).
					WantJSON("avatar_url", nil).WantJSON("full_name", "Alice Liddell")
				By("changing what she hasn't seen")
				alice.patch(me, `{"full_name": "Mallory"}`, ifMatch(before)).WantError(412, "PRECONDITION_FAILED")
				alice.get(me).Want(200).WantJSON("full_name", "Alice Liddell")
			})

			It("is created, and found at its address", func() {
				made := alice.post(projects, `{"name": "Apollo", "description": "To the moon"}`).Want(201)
				apollo, etag = made.Header.Get("Location"), made.Header.Get("ETag")
				made.WantJSON("name", "Apollo").WantJSON("description", "To the moon").WantJSON("owner_id", "alice").
					WantJSON("updated_at", made.Text("created_at")).WantHeader("Location", projects+"/"+made.Text("id"))

				read := alice.get(apollo).Want(200).WantHeader("ETag", etag)
				Expect(read.Body).To(Equal(made.Body))
			})

			It("isn't sent twice to who has it already", func() {
				unchanged := alice.get(apollo, ifNoneMatch(etag)).Want(304).WantHeader("ETag", etag)
				Expect(unchanged.Body).To(BeEmpty())
				alice.get(apollo, ifNoneMatch(`"7", W/`+etag)).Want(304)
				alice.get(apollo, ifNoneMatch(`"7"`)).Want(200).WantJSON("name", "Apollo")
			})

			It("stands in a list that can be searched and sorted", func() {
				for _, name := range []string{"gemini", "Mercury", "Skylab", "apollo-soyuz"} {
					alice.post(projects, fmt.Sprintf(`{"name": %q}`, name)).Want(201)
				}
				By("listing, the newest first")
				list := alice.get(projects).WantJSON("total", 5).WantJSON("skip", 0).WantJSON("limit", 20)
				Expect(names(list)).To(Equal([]string{"apollo-soyuz", "Skylab", "Mercury", "gemini", "Apollo"}))
				Expect(list.JSON("")).NotTo(HaveKey("next_cursor"))
				By("sorting by name, whatever the case")
				Expect(names(alice.get(projects + "?sort=name"))).To(Equal([]string{"Apollo", "apollo-soyuz", "gemini", "Mercury", "Skylab"}))
				Expect(names(alice.get(projects + "?sort=-name&limit=2"))).To(Equal([]string{"Skylab", "Mercury"}))
				Expect(names(alice.get(projects + "?sort=created_at&limit=2"))).To(Equal([]string{"Apollo", "gemini"}))
				By("searching, whatever the case")
				found := alice.get(projects+"?q=APOLLO&sort=name").WantJSON("total", 2)
				Expect(names(found)).To(Equal([]string{"Apollo", "apollo-soyuz"}))
				Expect(names(alice.get(projects + "?q=%25"))).To(BeEmpty())
			})

			It("stands in a list that is read page by page", func() {
				By("leaving some out")
				page := alice.get(projects+"?sort=name&skip=2&limit=2").WantJSON("total", 5).WantJSON("skip", 2).WantJSON("limit", 2)
				Expect(names(page)).To(Equal([]string{"gemini", "Mercury"}))
				Expect(names(alice.get(projects + "?skip=5"))).To(BeEmpty())

				By("walking by cursor, while the list grows")
				seen := []string{}
				for next := projects + "?limit=2"; next != ""; {
					page := alice.get(next).Want(200)
					seen = append(seen, names(page)...)
					next = ""
					if cursor, more := page.JSON("").(map[string]any)["next_cursor"]; more {
						next = projects + "?limit=2&cursor=" + cursor.(string)
					}
					if len(seen) == 2 {
						alice.post(projects, `{"name": "Artemis"}`).Want(201)
					}
				}
				Expect(seen).To(Equal([]string{"apollo-soyuz", "Skylab", "Mercury", "gemini", "Apollo"}))
			})

			It("is changed field by field", func() {
				By("leaving a field out, which stays")
				changed := alice.patch(apollo, `{"name": "Apollo 11"}`).Want(200).
					WantJSON("name", "Apollo 11").WantJSON("description", "To the moon")
				By("clearing a field")
				alice.patch(apollo, `{"description": null}`).Want(200).WantJSON("name", "Apollo 11").WantJSON("description", nil)
				By("setting it again")
				last := alice.patch(apollo, `{"description": "And back"}`).Want(200).WantJSON("description", "And back")
				By("changing nothing, which makes no new version")
				alice.patch(apollo, `{}`).Want(200).WantHeader("ETag", last.Header.Get("ETag"))
				alice.patch(apollo, `{"name": "Apollo 11"}`).Want(200).WantHeader("ETag", last.Header.Get("ETag"))

				Expect(changed.Header.Get("ETag")).NotTo(Equal(etag))
				Expect(alice.get(apollo).Want(200).Body).To(Equal(last.Body))
			})

			It("isn't overwritten by who hasn't seen the last change", func() {
				before := row()
				alice.patch(apollo, `{"name": "Lost"}`, ifMatch(etag)).WantError(412, "PRECONDITION_FAILED")
				alice.delete(apollo, ifMatch(etag)).WantError(412, "PRECONDITION_FAILED")
				Expect(row()).To(Equal(before))

				By("reading it and trying again")
				etag = alice.get(apollo).Want(200).Header.Get("ETag")
				etag = alice.patch(apollo, `{"name": "Apollo 13"}`, ifMatch(etag)).Want(200).Header.Get("ETag")
				alice.patch(apollo, `{"name": "Apollo 17"}`, ifMatch("*")).Want(200)
				etag = alice.get(apollo).Want(200).WantJSON("name", "Apollo 17").Header.Get("ETag")
			})

			It("doesn't exist for Bob", func() {
				before := row()
				cursor := alice.get(projects + "?limit=1").Want(200).Text("next_cursor")

				By("finding it in no list and by no search")
				bob.get(projects).Want(200).WantJSON("items", []any{}).WantJSON("total", 0)
				bob.get(projects+"?q=apollo&sort=name").Want(200).WantJSON("items", []any{}).WantJSON("total", 0)
				bob.get(projects+"?limit=1&cursor="+cursor).WantError(422, "VALIDATION_ERROR")
				bob.get(projects+"?owner_id=alice").WantError(422, "VALIDATION_ERROR")

				By("reading it by its id")
				bob.get(apollo).WantError(404, "NOT_FOUND")
				bob.get(apollo, ifNoneMatch(etag)).WantError(404, "NOT_FOUND")
				By("changing it, with and without its version")
				bob.patch(apollo, `{"name": "Bob's"}`).WantError(404, "NOT_FOUND")
				for _, version := range []string{etag, `"1"`, `"999"`, "*"} {
					bob.patch(apollo, `{"name": "Bob's"}`, ifMatch(version)).WantError(404, "NOT_FOUND")
					bob.delete(apollo, ifMatch(version)).WantError(404, "NOT_FOUND")
				}
				By("deleting it")
				bob.delete(apollo).WantError(404, "NOT_FOUND")
				By("making one that is hers")
				bob.post(projects, `{"name": "Trojan", "owner_id": "alice"}`).WantError(422, "VALIDATION_ERROR")

				By("learning nothing from the answer that he wouldn't learn of one that was never there")
				nowhere := projects + "/01890000-0000-7000-8000-000000000000"
				of := func(path string) any {
					failure := bob.get(path).WantError(404, "NOT_FOUND").JSON("error").(map[string]any)
					delete(failure, "request_id")
					delete(failure["details"].(map[string]any), "id")
					return failure
				}
				Expect(of(apollo)).To(Equal(of(nowhere)))

				By("and it is as it was")
				Expect(row()).To(Equal(before))
				alice.get(apollo).Want(200).WantHeader("ETag", etag).WantJSON("name", "Apollo 17")
			})

			It("has a namesake that is Bob's, and they don't meet", func() {
				his := bob.post(projects, `{"name": "Apollo 17"}`).Want(201).WantJSON("owner_id", "bob").Header.Get("Location")
				bob.get(projects).Want(200).WantJSON("total", 1)
				alice.get(his).WantError(404, "NOT_FOUND")
				alice.get(projects+"?q=apollo%2017").Want(200).WantJSON("total", 1)
			})

			It("is deleted, and gone for everybody", func() {
				gone := alice.delete(apollo, ifMatch(etag)).Want(204)
				Expect(gone.Body).To(BeEmpty())

				alice.get(apollo).WantError(404, "NOT_FOUND")
				alice.get(apollo, ifNoneMatch(etag)).WantError(404, "NOT_FOUND")
				alice.patch(apollo, `{"name": "Lazarus"}`).WantError(404, "NOT_FOUND")
				alice.delete(apollo).WantError(404, "NOT_FOUND")
				alice.get(projects+"?q=apollo%2017").Want(200).WantJSON("items", []any{}).WantJSON("total", 0)
				Expect(names(alice.get(projects))).NotTo(ContainElement("Apollo 17"))
				bob.get(projects).Want(200).WantJSON("total", 1)

				By("keeping a row that says when")
				Expect(row()["deleted_at"]).NotTo(BeNil())
			})
		})
	}
})
