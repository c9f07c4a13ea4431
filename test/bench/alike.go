package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// alike returns an error unless both servers give the same answers to the requests of the first people. They must hold
// the same rows.
func alike(ctx context.Context, e endpoint, one, other string, people []person) error {
	first, err := dial(ctx, one)
	if err != nil {
		return err
	}
	defer first.close()
	second, err := dial(ctx, other)
	if err != nil {
		return err
	}
	defer second.close()
	for i, who := range people[:min(3, len(people))] {
		asked := e.request(who, i)
		if err := first.expect(asked, e.status); err != nil {
			return err
		}
		if err := second.expect(asked, e.status); err != nil {
			return err
		}
		if err := compare(e, first, second); err != nil {
			return fmt.Errorf("the answers to %s differ: %w", e.name, err)
		}
	}
	return nil
}

// compare returns how the last answers of two connections differ, nil if they don't.
func compare(e endpoint, one, other *connection) error {
	var objects [2]map[string]any
	for i, c := range []*connection{one, other} {
		if media := c.header("Content-Type"); media != "application/json" {
			return fmt.Errorf("an answer is of type %q", media)
		}
		if err := json.Unmarshal(c.body, &objects[i]); err != nil {
			return err
		}
		if !e.fresh {
			continue
		}
		id, _ := objects[i]["id"].(string)
		if at := c.header("Location"); id == "" || !strings.HasSuffix(at, "/"+id) {
			return fmt.Errorf("%s is not the address of %s", at, c.body)
		}
		for _, own := range []string{"id", "created_at", "updated_at"} {
			objects[i][own] = fmt.Sprintf("a %T", objects[i][own])
		}
	}
	if a, b := one.header("Etag"), other.header("Etag"); a != b {
		return fmt.Errorf("ETag %q and %q", a, b)
	}
	if names := slices.Sorted(maps.Keys(objects[0])); len(names) == 0 {
		return fmt.Errorf("there is nothing in %s", one.body)
	}
	if !reflect.DeepEqual(objects[0], objects[1]) {
		return fmt.Errorf("\n%s\n%s", one.body, other.body)
	}
	return nil
}
