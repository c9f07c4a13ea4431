package wiregen

import (
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/modules/ai/aimod"
	"github.com/omnistack/omnistack/modules/billing"
	"github.com/omnistack/omnistack/platform/clock"
	"github.com/omnistack/omnistack/platform/database"
	"github.com/omnistack/omnistack/platform/events"
)

// aiDeps has the log tell what becomes of a changed file of models.
func aiDeps(settings *Settings, db *database.DB, events events.Publisher, clock clock.Clock, plans billing.Entitlements, log *zap.Logger) aimod.Deps {
	return aimod.Deps{
		DB: db, Events: events, Clock: clock, Plans: plans, Settings: &settings.AI, Environment: settings.Platform.Core.Environment,
		NoteCatalog: func(version string, err error) {
			if err != nil {
				log.Error("the changed file of models can't be used: the one before it goes on", zap.Error(err))
				return
			}
			log.Info("the file of models has changed", zap.String("version", version))
		},
	}
}
