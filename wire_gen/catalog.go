package wiregen

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/audit"
	"github.com/omnistack/omnistack/platform/auth"
	"github.com/omnistack/omnistack/platform/blob"
	"github.com/omnistack/omnistack/platform/cache"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/erasure"
	"github.com/omnistack/omnistack/platform/httpserver"
	"github.com/omnistack/omnistack/platform/keyring"
	"github.com/omnistack/omnistack/platform/module"
	"github.com/omnistack/omnistack/platform/page"
	"github.com/omnistack/omnistack/schema"
)

// unopened puts the modules together over a platform that isn't there, to be asked what they are made of.
func unopened(settings *Settings) *Modules {
	modules, err := buildModules(settings, nil, nil, nil, keyring.New("", ""), zap.NewNop(), page.Cursors{}, nil, nil, nil, clock.System{}, []*auth.Provider{{}}, nil, nil)
	if err != nil {
		panic(err) // nothing is opened: what fails is broken in the binary
	}
	return modules
}

// Catalog returns the canvas of every module, without opening anything.
func Catalog() ([]module.Canvas, error) {
	settings := &Settings{}
	settings.Platform.HTTP.APIPrefix = "/api/v1"
	declared, err := config.Describe(settings.Groups()...)
	if err != nil {
		return nil, err
	}
	modules := unopened(settings)
	server := httpserver.New(httpserver.Options{HTTP: settings.Platform.HTTP, Audit: &audit.Log{}}, zap.NewNop())
	modules.mount(server)

	var catalog []module.Canvas
	for _, described := range new(erasure.Erasure).Join(modules.Describe(), gone()) {
		canvas := module.Canvas{Descriptor: described}
		for _, route := range server.Routes() {
			if route.Module == described.Name {
				canvas.Operations = append(canvas.Operations, route)
			}
		}
		for _, setting := range declared {
			if setting.Owner == described.Settings.Owner {
				canvas.Variables = append(canvas.Variables, setting)
			}
		}
		catalog = append(catalog, canvas)
	}
	return catalog, nil
}

// Finding is what one check of a dependency found. Err says what is wrong and what to do; nil is all right.
type Finding struct {
	Name string
	Err  error
}

// Diagnose tries every dependency that the settings name. It waits for none of them.
func Diagnose(ctx context.Context, settings *Settings, log *zap.Logger) []Finding {
	var findings []Finding
	db, err := OpenDatabase(ctx, settings, 0, log)
	findings = append(findings, Finding{"database", err})
	if err == nil {
		defer func() { _ = db.Close() }() // it was only read
		findings = append(findings, Finding{"migrations", schema.Current(ctx, db)})
	}
	if client, closeRedis, err := openRedis(settings); client != nil || err != nil {
		if err == nil {
			defer closeRedis()
			err = cache.Check(client)(ctx)
		}
		findings = append(findings, Finding{"redis", err})
	}
	findings = append(findings, diagnoseKeys(ctx, settings)...)
	return append(findings, Finding{"files", diagnoseFiles(ctx, settings)})
}

// filesPatience is how long the doctor waits for where files are kept, in which a call may be made again.
const filesPatience = 15 * time.Second

// diagnoseFiles puts a small file where files are kept, and takes it away again.
func diagnoseFiles(ctx context.Context, settings *Settings) error {
	files, release, err := OpenFiles(settings, newKeyring(settings), clock.System{})
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, filesPatience)
	defer cancel()
	if err := blob.Check(ctx, files); err != nil {
		return fmt.Errorf("files can't be stored by STORAGE_PROVIDER=%s: are its bucket, its region and its key pair right, and may that key pair "+
			"read, write and delete? (%w)", settings.Platform.Storage.Provider, err)
	}
	return nil
}

// diagnoseKeys fetches the keys of every identity provider but the one of this machine.
func diagnoseKeys(ctx context.Context, settings *Settings) []Finding {
	dev, err := OpenDevIssuer(settings, clock.System{})
	if err != nil {
		return []Finding{{"keys of " + config.ProviderDev, err}}
	}
	providers, err := newProviders(settings, dev)
	if err != nil {
		return []Finding{{"identity providers", err}}
	}
	var findings []Finding
	for _, provider := range providers {
		if provider.Name == config.ProviderDev {
			continue
		}
		err := provider.CheckKeys(ctx)
		if err != nil {
			err = fmt.Errorf("no token of %s can be verified: is the setting that names it right, and can it be reached from here? (%w)",
				provider.Issuer, err)
		}
		findings = append(findings, Finding{"keys of " + provider.Name, err})
	}
	return findings
}
