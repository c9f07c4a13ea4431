package patch_test

import (
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/omnistack/omnistack/platform/patch"
)

func TestFieldTellsItsThreeStatesApart(t *testing.T) {
	type body struct {
		Text patch.Field[string] `json:"text"`
	}
	for name, test := range map[string]struct {
		in      string
		present bool
		value   *string
	}{
		"absent": {`{}`, false, nil},
		"null":   {`{"text":null}`, true, nil},
		"empty":  {`{"text":""}`, true, new("")},
		"value":  {`{"text":"new"}`, true, new("new")},
	} {
		t.Run(name, func(t *testing.T) {
			var got body
			if err := json.Unmarshal([]byte(test.in), &got); err != nil {
				t.Fatal(err)
			}
			if got.Text.Present() != test.present {
				t.Errorf("present is %t, want %t", got.Text.Present(), test.present)
			}
			value := got.Text.Value()
			if (value == nil) != (test.value == nil) || value != nil && *value != *test.value {
				t.Errorf("the value differs from %s", test.in)
			}
		})
	}
}

func TestFieldRefusesAnotherType(t *testing.T) {
	var got patch.Field[string]
	if err := json.Unmarshal([]byte(`7`), &got); err == nil {
		t.Error("a number became a text")
	}
}

func FuzzField(f *testing.F) {
	for _, seed := range []string{`null`, `""`, `"a"`, `1`, `{`, `"\ud800"`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var got patch.Field[string]
		err := json.Unmarshal([]byte(in), &got)
		if err == nil && !got.Present() {
			t.Errorf("%q was read, but the field is absent", in)
		}
	})
}
