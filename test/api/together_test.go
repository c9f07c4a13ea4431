//scaffold:needs projects

package api

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/omnistack/omnistack/platform/testkit"
	"github.com/omnistack/omnistack/test/apptest"
)

func TestSixtyFourFirstRequestsMakeOneUser(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		answers := make([]*testkit.Response, 64)
		together(len(answers), func(i int) { answers[i] = alice.Do(t, "GET", me) })
		for _, answer := range answers {
			if answer == nil {
				t.Fatal("a request got no answer")
			}
			answer.Want(200).WantJSON("id", "alice").WantJSON("created_at", answers[0].Text("created_at"))
		}
		for _, table := range []string{"users", "users_identities"} {
			if rows := testkit.Rows(t, app.DB, table, ""); rows != 1 {
				t.Errorf("%s has %d rows", table, rows)
			}
		}
	})
}

func TestOfSixteenChangesToOneVersionOneHappens(t *testing.T) {
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		project := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Apollo"}`)).Want(201).Header.Get("Location")
		answers := make([]*testkit.Response, 16)
		together(len(answers), func(i int) {
			answers[i] = alice.Do(t, "PATCH", project, testkit.Header("If-Match", `"1"`), testkit.Body(fmt.Sprintf(`{"name": "Apollo %d"}`, i)))
		})
		var winner string
		for _, answer := range answers {
			if answer == nil {
				t.Fatal("a request got no answer")
			}
			if answer.Status != 200 {
				answer.WantError(412, "PRECONDITION_FAILED")
				continue
			}
			if winner != "" {
				t.Errorf("both %s and %s won", winner, answer.Text("name"))
			}
			winner = answer.WantHeader("ETag", `"2"`).Text("name")
		}
		alice.Do(t, "GET", project).Want(200).WantHeader("ETag", `"2"`).WantJSON("name", winner)
	})
}

// The description is a counter that each writer reads, raises by one and writes back, over the version it read.
func TestSixteenWritersLoseNoUpdate(t *testing.T) {
	const writers, times = 16, 3
	apptest.EachEngine(t, func(t *testing.T, app *apptest.App) {
		alice := app.User(t, "alice")
		project := alice.Do(t, "POST", projects, testkit.Body(`{"name": "Counter", "description": "0"}`)).Want(201).Header.Get("Location")

		attempt := func() (raised bool) {
			read := alice.Do(t, "GET", project)
			count, err := strconv.Atoi(read.Text("description"))
			if err != nil {
				t.Errorf("the counter is gone: %v", err)
			}
			wrote := alice.Do(t, "PATCH", project, testkit.Header("If-Match", read.Header.Get("ETag")),
				testkit.Body(fmt.Sprintf(`{"description": "%d"}`, count+1)))
			if wrote.Status != 200 && wrote.Status != 412 {
				t.Errorf("a write ends with %d\n%s", wrote.Status, wrote.Body)
			}
			return wrote.Status == 200
		}
		together(writers, func(int) {
			for raised := 0; raised < times && !t.Failed(); {
				if attempt() {
					raised++
				}
			}
		})
		alice.Do(t, "GET", project).Want(200).
			WantJSON("description", strconv.Itoa(writers*times)).WantHeader("ETag", fmt.Sprintf(`"%d"`, 1+writers*times))
	})
}
