package domain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/omnistack/omnistack/platform/errs"
)

// ReadContent returns the content of a template from a JSON object that has its fields, all of them and no others, in
// lower case: {"link": "https://...", "expires": "2026-01-02T15:04:05Z"}. An unknown template, a field that is missing,
// unknown or null, and a value that doesn't fit are errs.Invalid.
func ReadContent(template string, data []byte) (Content, error) {
	for _, content := range Contents() {
		if content.Template() != template {
			continue
		}
		if err := checkFields(template, data); err != nil {
			return nil, err
		}
		return decode(content, data)
	}
	return nil, errs.InvalidFields(errs.Field{Name: "template", Message: "there is no such template"})
}

// Fields returns the names of the fields that the content of a template has.
func Fields(template string) []string {
	return map[string][]string{
		Welcome{}.Template():             {"name"},
		PasswordReset{}.Template():       {"link", "expires"},
		DataExportReady{}.Template():     {"link", "expires"},
		DailyReport{}.Template():         {"day", "sections"},
		Contact{}.Template():             {"name", "email", "subject", "message", "received"},
		ProjectDeleted{}.Template():      {"name", "days"},
		AccountSuspended{}.Template():    {},
		AccountReactivated{}.Template():  {},
		RoleChanged{}.Template():         {"role"},
		IdentityLinked{}.Template():      {"issuer"},
		SubscriptionChanged{}.Template(): {"plan", "status"},
	}[template]
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

// decode reads the data into a content of the type of its first argument.
func decode(like Content, data []byte) (Content, error) {
	switch like.(type) {
	case Welcome:
		return into[Welcome](data)
	case PasswordReset:
		return into[PasswordReset](data)
	case DataExportReady:
		return into[DataExportReady](data)
	case DailyReport:
		return into[DailyReport](data)
	case Contact:
		return into[Contact](data)
	case ProjectDeleted:
		return into[ProjectDeleted](data)
	case AccountSuspended:
		return into[AccountSuspended](data)
	case AccountReactivated:
		return into[AccountReactivated](data)
	case RoleChanged:
		return into[RoleChanged](data)
	case IdentityLinked:
		return into[IdentityLinked](data)
	case SubscriptionChanged:
		return into[SubscriptionChanged](data)
	}
	return nil, fmt.Errorf("nobody reads the content of %s", like.Template())
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
	written, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(written, &object); err != nil {
		return nil, err
	}
	lower := make(map[string]json.RawMessage, len(object))
	for name, value := range object {
		lower[strings.ToLower(name)] = value
	}
	return json.Marshal(lower)
}
