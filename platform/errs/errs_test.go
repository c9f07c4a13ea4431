package errs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/omnistack/omnistack/platform/errs"
)

// Clients switch on the codes and jobs on what is retryable, so both are written down here once more: a change of this
// table is a change of the contract. Its statuses are tested where they are mapped, in httpserver.
func TestKinds(t *testing.T) {
	contract := map[errs.Kind]struct {
		code      string
		retryable bool
	}{
		errs.Internal:         {"INTERNAL_ERROR", true},
		errs.Malformed:        {"BAD_REQUEST", false},
		errs.Unauthenticated:  {"UNAUTHENTICATED", false},
		errs.PaymentRequired:  {"PAYMENT_REQUIRED", false},
		errs.Forbidden:        {"FORBIDDEN", false},
		errs.NotFound:         {"NOT_FOUND", false},
		errs.MethodNotAllowed: {"METHOD_NOT_ALLOWED", false},
		errs.Conflict:         {"CONFLICT", false},
		errs.Precondition:     {"PRECONDITION_FAILED", false},
		errs.TooLarge:         {"PAYLOAD_TOO_LARGE", false},
		errs.UnsupportedMedia: {"UNSUPPORTED_MEDIA_TYPE", false},
		errs.Invalid:          {"VALIDATION_ERROR", false},
		errs.RateLimited:      {"RATE_LIMIT_EXCEEDED", true},
		errs.External:         {"EXTERNAL_SERVICE_ERROR", true},
		errs.Unavailable:      {"SERVICE_UNAVAILABLE", true},
		errs.Timeout:          {"TIMEOUT", true},
	}
	if len(errs.Kinds()) != len(contract) {
		t.Errorf("there are %d kinds, the contract has %d", len(errs.Kinds()), len(contract))
	}
	codes := map[string]errs.Kind{}
	for _, kind := range errs.Kinds() {
		want, known := contract[kind]
		if !known || kind.Code() != want.code || kind.Retryable() != want.retryable {
			t.Errorf("kind %d has code %q and is retryable: %t, want %+v", kind, kind.Code(), kind.Retryable(), want)
		}
		if other, taken := codes[kind.Code()]; taken {
			t.Errorf("kinds %d and %d are both called %q", other, kind, kind.Code())
		}
		codes[kind.Code()] = kind
		if got := errs.New(kind, "text").Code(); got != want.code {
			t.Errorf("an error of kind %d has code %q", kind, got)
		}
	}
}

func TestFrom(t *testing.T) {
	missing := errs.Missing("Project", "p1")
	for name, test := range map[string]struct {
		err  error
		kind errs.Kind
	}{
		"a stranger":                     {io.EOF, errs.Internal},
		"one of ours":                    {missing, errs.NotFound},
		"one of ours, wrapped":           {fmt.Errorf("a store: %w", missing), errs.NotFound},
		"one of ours among others":       {errors.Join(io.EOF, missing), errs.NotFound},
		"the outer of two":               {errs.New(errs.External, "no").Because(missing), errs.External},
		"a deadline":                     {context.DeadlineExceeded, errs.Timeout},
		"a deadline, wrapped":            {fmt.Errorf("a query: %w", context.DeadlineExceeded), errs.Timeout},
		"a deadline behind one of ours":  {missing.Because(context.DeadlineExceeded), errs.NotFound},
		"a caller that left":             {context.Canceled, errs.Internal},
		"a stranger with a text of ours": {errors.New("NOT_FOUND: Project not found"), errs.Internal},
	} {
		got := errs.From(test.err)
		if got.Kind != test.kind || !errs.Is(test.err, test.kind) || !errors.Is(got, test.err) && !errors.Is(test.err, got) {
			t.Errorf("%s: got %v of kind %s, want %s", name, got, got.Code(), test.kind.Code())
		}
		for _, other := range errs.Kinds() {
			if other != test.kind && errs.Is(test.err, other) {
				t.Errorf("%s is also of kind %s", name, other.Code())
			}
		}
	}
	if errs.From(nil) != nil || errs.Is(nil, errs.Internal) {
		t.Error("no error is an error")
	}
}

// What is shown to clients never has the cause in it; what is logged does.
func TestACauseIsLoggedAndNeverShown(t *testing.T) {
	err := errs.New(errs.Unavailable, "Try again").With("after", 3).Because(errors.New("canary"))
	if shown := fmt.Sprint(err.Code(), err.Message, err.Details); strings.Contains(shown, "canary") {
		t.Errorf("clients see %q", shown)
	}
	if got, want := err.Error(), "SERVICE_UNAVAILABLE: Try again: canary"; got != want {
		t.Errorf("the log has %q, want %q", got, want)
	}
	if got, want := errs.Stale().Error(), "PRECONDITION_FAILED: It was changed since you read it: read it again"; got != want {
		t.Errorf("without a cause the log has %q, want %q", got, want)
	}
	if stranger := errs.From(errors.New("canary")); strings.Contains(stranger.Message, "canary") || !strings.Contains(stranger.Error(), "canary") {
		t.Errorf("a stranger becomes %+v", stranger)
	}
}

// An error that is kept in a variable is everybody's: With and Because must not change it.
func TestWithAndBecauseCopy(t *testing.T) {
	base := errs.New(errs.Conflict, "No")
	one := base.With("a", 1)
	two := one.With("b", 2)
	other := one.With("a", 3)
	caused := one.Because(io.EOF)

	for name, test := range map[string]struct {
		got  *errs.Error
		want map[string]any
	}{
		"the first":        {base, nil},
		"with a":           {one, map[string]any{"a": 1}},
		"with a and b":     {two, map[string]any{"a": 1, "b": 2}},
		"with another a":   {other, map[string]any{"a": 3}},
		"with a cause too": {caused, map[string]any{"a": 1}},
	} {
		if !reflect.DeepEqual(test.got.Details, test.want) {
			t.Errorf("%s: the details are %v, want %v", name, test.got.Details, test.want)
		}
	}
	if errors.Is(one, io.EOF) || !errors.Is(caused, io.EOF) || !errors.Is(caused.With("c", 4), io.EOF) {
		t.Error("the cause is in the wrong one")
	}
}

func TestHelpers(t *testing.T) {
	fields := []errs.Field{{Name: "name", Message: "must not be blank"}, {Name: "messages[2].role", Message: "is unknown"}}
	for name, test := range map[string]struct {
		err     *errs.Error
		kind    errs.Kind
		details map[string]any
	}{
		"invalid fields": {errs.InvalidFields(fields...), errs.Invalid, map[string]any{"errors": fields}},
		"missing":        {errs.Missing("Project", "p1"), errs.NotFound, map[string]any{"resource": "Project", "id": "p1"}},
		"stale":          {errs.Stale(), errs.Precondition, nil},
	} {
		if test.err.Kind != test.kind || !reflect.DeepEqual(test.err.Details, test.details) || test.err.Message == "" {
			t.Errorf("%s: got %+v", name, test.err)
		}
	}
}
