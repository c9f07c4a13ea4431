package main

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	wiregen "github.com/omnistack/omnistack/wire_gen"
)

func TestAWrongCallIsRefusedWithTwo(t *testing.T) {
	t.Parallel()
	for call, says := range map[string]string{
		"":                                 "omnistack needs a command",
		"--nonsense":                       "unknown flag: --nonsense",
		"nonsense":                         `omnistack has no command "nonsense"`,
		"sevre":                            `omnistack has no command "sevre": did you mean serve?`,
		"serve nonsense":                   `unknown command "nonsense"`,
		"serve --nonsense":                 "unknown flag: --nonsense",
		"serve --roles":                    "flag needs an argument: --roles",
		"serve --roles nonsense":           `--roles: there is no role "nonsense": choose api, worker or both`,
		"serve --roles=":                   "--roles: a process needs a role: choose api, worker or both",
		"worker nonsense":                  `unknown command "nonsense"`,
		"migrate":                          "omnistack migrate needs a command",
		"migrate nonsense":                 `omnistack migrate has no command "nonsense"`,
		"migrate upp":                      `did you mean up?`,
		"migrate up nonsense":              `unknown command "nonsense"`,
		"seed --users three":               `invalid argument "three" for "--users"`,
		"seed --users -1":                  `invalid argument "-1" for "--users"`,
		"token":                            `required flag(s) "sub" not set`,
		"token --sub alice extra":          `unknown command "extra"`,
		"token --sub a --ttl soon":         `invalid argument "soon" for "--ttl"`,
		"admin":                            "omnistack admin needs a command",
		"admin grant":                      "accepts 1 arg(s), received 0",
		"admin revoke a b":                 "accepts 1 arg(s), received 2",
		"admin grant a --role x":           "--role must be admin or superadmin",
		"admin grant a --role":             "flag needs an argument: --role",
		"events":                           "omnistack events needs a command",
		"events replay all":                `unknown command "all"`,
		"events replay --from now":         "--from must be a time such as 2026-11-26T09:00:00Z",
		"admin grant a --role user":        "--role must be admin or superadmin",
		"admin revoke a --role superadmin": "--role must be user or admin",
		"config nonsense":                  `unknown command "nonsense"`,
		"doctor nonsense":                  `unknown command "nonsense"`,
		"modules users projects":           "accepts at most 1 arg(s), received 2",
		"version nonsense":                 `unknown command "nonsense"`,
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			newDesk(t).run(strings.Fields(call)...).want(t, exitUsage, "", says, "--help' for usage")
		})
	}
}

func TestHelpIsEverywhere(t *testing.T) {
	t.Parallel()
	var visit func(path []string, command *cobra.Command)
	visit = func(path []string, command *cobra.Command) {
		t.Run(strings.Join(path, " "), func(t *testing.T) {
			for _, flag := range []string{"--help", "-h"} {
				var stdout, stderr bytes.Buffer
				code := run(t.Context(), append(slices.Clip(path[1:]), flag), nil, &stdout, &stderr)
				if code != exitOK || stderr.Len() > 0 || !strings.Contains(stdout.String(), "Usage:\n  "+strings.Join(path, " ")) {
					t.Errorf("%s exits with %d and says\n%s%s", flag, code, &stdout, &stderr)
				}
			}
			if command.Short == "" {
				t.Error("it has no short description")
			}
		})
		for _, sub := range command.Commands() {
			visit(append(slices.Clip(path), sub.Name()), sub)
		}
	}
	visit([]string{"omnistack"}, (&cli{}).root())
}

func TestVersion(t *testing.T) {
	t.Parallel()
	newDesk(t).run("version").want(t, exitOK, wiregen.Version()+"\n")
}

func TestModulesPrintsWhatTheyAreMadeOf(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "LOG_LEVEL=nonsense") // it needs no settings
	listed := d.run("modules")
	listed.want(t, exitOK, "users ")
	for name, lines := range map[string][]string{
		"users": {
			"| GET | `/api/v1/app/users/me` | user |", "| PATCH | `/api/v1/app/users/me` | user |",
			"`users.Directory`", "`users_identities`", "`ADMIN_EMAILS`",
		},
	} {
		canvas := d.run("modules", name)
		for _, line := range lines {
			canvas.want(t, exitOK, line)
		}
	}
	d.run("modules", "nonsense").want(t, exitFailed, "", `there is no module "nonsense"`)
}

func TestShellWords(t *testing.T) {
	for text, want := range map[string]string{
		"./bin/omnistack": "./bin/omnistack", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "~": "'~'",
	} {
		if got := shellWord(text); got != want {
			t.Errorf("%q becomes %s, want %s", text, got, want)
		}
	}
	for path, want := range map[string]string{
		"/srv/bin/omnistack": "./bin/omnistack", "/srv/omnistack": "./omnistack", "/usr/bin/omnistack": "/usr/bin/omnistack",
		"/srv/..bin/omnistack": "./..bin/omnistack", "/srvs/omnistack": "/srvs/omnistack",
	} {
		if got := relativeTo("/srv", path); got != want {
			t.Errorf("%s becomes %s, want %s", path, got, want)
		}
	}
}

func TestBaseURL(t *testing.T) {
	for ip, want := range map[string]string{
		"127.0.0.1": "http://localhost:8000", "0.0.0.0": "http://localhost:8000", "::": "http://localhost:8000",
		"::1": "http://localhost:8000", "192.0.2.7": "http://192.0.2.7:8000", "2001:db8::7": "http://[2001:db8::7]:8000",
	} {
		if got := baseURL(&net.TCPAddr{IP: net.ParseIP(ip), Port: 8000}); got != want {
			t.Errorf("%s becomes %s, want %s", ip, got, want)
		}
	}
}
