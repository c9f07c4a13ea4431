package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnistack/omnistack/platform/bus"
)

func (c *cli) eventsCommand() *cobra.Command {
	return group(&cobra.Command{Use: "events", Short: "Work with the events of the modules"}, c.replayCommand())
}

func (c *cli) replayCommand() *cobra.Command {
	var which bus.Dead
	var from, to string
	command := &cobra.Command{
		Use: "replay", Short: "Deliver again the events that were given up", Args: cobra.NoArgs,
		Long: "Deliver again the events that a consumer couldn't handle, once what kept it from it is mended.\n" +
			"The flags say which; without them it is all of them. A worker does the rest.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var unreadable [2]error
			which.From, unreadable[0] = parseTime("from", from)
			which.To, unreadable[1] = parseTime("to", to)
			if err := errors.Join(unreadable[:]...); err != nil {
				return usageError{err}
			}
			app, cleanup, err := c.build(cmd.Context())
			if err != nil {
				return err
			}
			defer cleanup()
			replayed, err := app.ReplayDead(cmd.Context(), which)
			if err != nil {
				return fmt.Errorf("%d deliveries are on their way again, and then: %w", replayed, err)
			}
			fmt.Fprintf(c.stdout, "%d deliveries are on their way again\n", replayed)
			return nil
		},
	}
	flags := command.Flags()
	flags.StringVar(&which.Event, "name", "", "only events of this name, such as users.user_registered.v1")
	flags.StringVar(&which.Consumer, "consumer", "", "only those of this consumer")
	flags.StringVar(&from, "from", "", "only what happened at this time or later, such as 2026-11-26T09:00:00Z")
	flags.StringVar(&to, "to", "", "only what happened before this time")
	return command
}

// parseTime reads the value of a flag; an empty one is the zero time.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--%s must be a time such as 2026-11-26T09:00:00Z", flag)
	}
	return at, nil
}
