// Package config reads the settings of a process and proves them before anything starts.
//
// A group of settings is a struct. Each field is one setting and its tags say the rest:
//
//	type Settings struct {
//		CatalogFile string        `env:"AI_CATALOG_FILE" is:"file" help:"A YAML file of routes."`
//		Timeout     time.Duration `env:"AI_TIMEOUT" default:"60s" min:"1s" max:"10m" help:"How long one call may take."`
//		APIKey      config.Secret `env:"OPENAI_API_KEY" help:"The key for OpenAI."`
//	}
//
// The tags:
//
//   - env: the variable's name, the only name a setting has.
//   - default: the text used when the variable is unset. {OTHER_NAME} in it stands for another setting's text.
//   - local: the default in local and test, when it differs. production: the default in production, when it differs.
//   - oneof: the allowed values, separated by spaces.
//   - min, max: bounds of a number, a duration or a size; for a text its length in bytes.
//   - is: the shape of a text: url, base (a URL without a trailing slash), origin, email, listen (host:port, or off),
//     file (one that exists).
//   - mask: url, for a Secret that is a URL: host and path are shown, login and secret parameters are not.
//   - help: one sentence for people.
//
// A field may be a string, bool, int, int64, float64, time.Duration, []string, []netip.Prefix, Secret, Size, Rate,
// Environment, or any type whose pointer is an encoding.TextUnmarshaler. A struct field without an env tag is a group
// inside the group. Rules over several settings go into a Validate method, see Validator.
//
// Load reads defaults, .env, .env.{ENVIRONMENT} and the process environment, later ones over earlier ones. Production
// reads the process environment only, so that a file left in an image can't decide anything there. An empty value
// means unset, and hides what an earlier layer says. A Secret may also come from a file named by the variable with
// _FILE at its end, which is how container platforms hand over secrets.
//
// Load never stops at the first mistake: a deployment with five wrong variables learns of all five at once. Nothing it
// prints holds a secret.
package config
