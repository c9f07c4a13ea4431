package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/omnistack/omnistack/platform/errs"
)

// contents are all of them, each with what reads it.
var contents = []struct {
	like Content
	read func(data []byte) (Content, error)
}{
	{Welcome{}, into[Welcome]},
	{PasswordReset{}, into[PasswordReset]},
	{DataExportReady{}, into[DataExportReady]},
	{DailyReport{}, into[DailyReport]},
	{Contact{}, into[Contact]},
	{ProjectDeleted{}, into[ProjectDeleted]},
	{Note{}, into[Note]},
	{AccountSuspended{}, into[AccountSuspended]},
	{AccountReactivated{}, into[AccountReactivated]},
	{RoleChanged{}, into[RoleChanged]},
	{IdentityLinked{}, into[IdentityLinked]},
	{SubscriptionChanged{}, into[SubscriptionChanged]},
	{PaymentFailed{}, into[PaymentFailed]},
	{TrialEnding{}, into[TrialEnding]},
}

// Contents returns one value of every content, to check that each has its template.
func Contents() []Content {
	all := make([]Content, len(contents))
	for i, content := range contents {
		all[i] = content.like
	}
	return all
}

// ReadContent returns the content of a template from a JSON object that has its fields, all of them and no others, in
// lower case: {"link": "https://...", "expires": "2026-01-02T15:04:05Z"}. An unknown template, a field that is missing,
// unknown or null, and a value that doesn't fit are errs.Invalid.
func ReadContent(template string, data []byte) (Content, error) {
	for _, content := range contents {
		if content.like.Template() != template {
			continue
		}
		if err := checkFields(template, data); err != nil {
			return nil, err
		}
		return content.read(data)
	}
	return nil, errs.InvalidFields(errs.Field{Name: "template", Message: "there is no such template"})
}

// Fields returns the names of the fields that the content of a template has, in the order of the alphabet; none for no template.
func Fields(template string) []string {
	for _, content := range contents {
		if content.like.Template() == template {
			fields, _ := fieldsOf(content.like) // what holds nothing yet can be written
			return slices.Sorted(maps.Keys(fields))
		}
	}
	return nil
}

func checkFields(template string, data []byte) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil || object == nil {
		return errs.InvalidFields(errs.Field{Name: "data", Message: "must be a JSON object"})
	}
	var broken []errs.Field
	fields := Fields(template)
	for _, name := range fields {
		if value, found := object[name]; !found || bytes.Equal(value, []byte("null")) {
			broken = append(broken, errs.Field{Name: "data." + name, Message: "is required"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(fields, name) {
			broken = append(broken, errs.Field{Name: "data", Message: "has a field that the template doesn't have"})
		}
	}
	if len(broken) > 0 {
		return errs.InvalidFields(broken...)
	}
	return nil
}

func into[C Content](data []byte) (Content, error) {
	var content C
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&content)
	if err == nil {
		return content, nil
	}
	field := "data"
	if misfit, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field = strings.ToLower("data." + misfit.Field)
	}
	// Without the cause, which repeats the value.
	return nil, errs.InvalidFields(errs.Field{Name: field, Message: "has a value that doesn't fit its type"})
}

// WriteContent returns the content as JSON, for ReadContent.
func WriteContent(content Content) ([]byte, error) {
	fields, err := fieldsOf(content)
	if err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

// fieldsOf returns the fields of a content in JSON by their names in lower case.
func fieldsOf(content Content) (map[string]json.RawMessage, error) {
	written, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(written, &object); err != nil {
		return nil, err
	}
	fields := make(map[string]json.RawMessage, len(object))
	for name, value := range object {
		fields[strings.ToLower(name)] = value
	}
	return fields, nil
}
