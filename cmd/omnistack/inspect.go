package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/module"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(c.stdout, wiregen.Version())
			return nil
		},
	}
}

func (c *cli) configCommand() *cobra.Command {
	return &cobra.Command{
		Use: "config", Short: "Print every setting, secrets masked, and where it came from", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, report, err := c.settings()
			if report != nil {
				err = errors.Join(err, report.Print(c.stdout))
			}
			return err
		},
	}
}

func (c *cli) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Try every configured dependency for real, and say what to do", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, _, err := c.prepare()
			if err != nil {
				return err
			}
			fmt.Fprintln(c.stdout, "ok       settings")
			failed := false
			for _, finding := range wiregen.Diagnose(cmd.Context(), settings, zap.NewNop()) {
				if finding.Err != nil {
					failed = true
					fmt.Fprintf(c.stdout, "failing  %s: %v\n", finding.Name, finding.Err)
					continue
				}
				fmt.Fprintf(c.stdout, "ok       %s\n", finding.Name)
			}
			if failed {
				return errors.New("something needs attention")
			}
			return nil
		},
	}
}

func (c *cli) modulesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "modules [NAME]", Short: "Print what the modules are made of", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			catalog, err := wiregen.Catalog()
			if err != nil {
				return err
			}
			return c.printModules(catalog, args)
		},
	}
}

func (c *cli) printModules(catalog []module.Canvas, names []string) error {
	if len(names) == 0 {
		for _, canvas := range catalog {
			fmt.Fprintf(c.stdout, "%-14s %s\n", canvas.Name, canvas.Summary)
		}
		return nil
	}
	for _, canvas := range catalog {
		if canvas.Name == names[0] {
			_, err := io.WriteString(c.stdout, canvas.Markdown())
			return err
		}
	}
	return fmt.Errorf("there is no module %q", names[0])
}
