package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/omnistack/omnistack/platform/config"
	wiregen "github.com/omnistack/omnistack/wire_gen"
)

func (c *cli) serveCommand() *cobra.Command {
	var roles []string
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API until it is told to stop",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context(), roles) },
	}
	command.Flags().StringSliceVar(&roles, "roles", []string{wiregen.RoleAPI, wiregen.RoleWorker}, "what this process does: api, worker or both")
	return command
}

func (c *cli) workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "The same as serve --roles worker: the health probes and the background work, no API",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.serve(cmd.Context(), []string{wiregen.RoleWorker})
		},
	}
}

func (c *cli) serve(ctx context.Context, roles []string) error {
	does, err := wiregen.ParseRoles(roles)
	if err != nil {
		return usageError{fmt.Errorf("--roles: %w", err)}
	}
	settings, log, err := c.prepare()
	if err != nil {
		return err
	}
	listener, err := listen(ctx, settings.Platform.HTTP)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed already when the server ran
	if address, isTCP := listener.Addr().(*net.TCPAddr); isTCP {
		settings.Platform.HTTP.ListensOn(address.Port)
	}

	settings.Output = c.stdout
	app, cleanup, err := wiregen.Build(ctx, settings, does, log)
	if err != nil {
		return err
	}
	defer cleanup()
	c.greet(settings, app, does, listener.Addr(), log)
	return app.Serve(ctx, listener)
}

// listen takes the port before anything else is opened, so that a second copy fails at once and with the reason.
func listen(ctx context.Context, conf config.HTTP) (net.Listener, error) {
	address := net.JoinHostPort(conf.Host, strconv.Itoa(conf.Port))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use: another copy may be running. Stop it, or choose another port with PORT, 0 for a free one", conf.Port)
	}
	if errors.Is(err, syscall.EACCES) {
		return nil, fmt.Errorf("port %d needs more rights than this user has: choose one above 1023 with PORT", conf.Port)
	}
	return listener, err
}

// greet tells a developer where everything is and what to try. Elsewhere the log says it in a line.
func (c *cli) greet(settings *wiregen.Settings, app *wiregen.App, does wiregen.Roles, address net.Addr, log *zap.Logger) {
	if !settings.Platform.Core.Environment.OnDesk() {
		log.Info("listening", zap.Stringer("address", address))
		return
	}
	platform, base := settings.Platform, baseURL(address)
	engine, target := platform.Database.Target()
	if engine == config.EnginePostgres {
		target = "PostgreSQL"
	}
	fmt.Fprintf(c.stdout, "\n%s is running.\n\n", platform.Core.ProjectName)
	if !does.API {
		fmt.Fprintf(c.stdout, "  Health    %s/health\n  Database  %s\n\nThis process does background work only.\n\n", base, target)
		return
	}
	fmt.Fprintf(c.stdout, "  API       %s%s\n", base, platform.HTTP.APIPrefix)
	if platform.HTTP.DocsEnabled {
		fmt.Fprintf(c.stdout, "  Docs      %s/docs\n", base)
	}
	for _, described := range app.Modules.Describe() {
		for _, page := range described.Pages {
			fmt.Fprintf(c.stdout, "  %-9s %s%s  %s\n", page.Name, base, page.Path, page.Summary)
		}
	}
	fmt.Fprintf(c.stdout, "  Database  %s\n\n", target)
	if platform.Auth.Provider == config.ProviderDev {
		fmt.Fprintf(c.stdout, "Paste this into another terminal to sign in as Alice:\n\n"+
			"  curl -s %s%s/app/users/me -H \"Authorization: Bearer $(%s)\"\n\n",
			base, platform.HTTP.APIPrefix, c.command("token --sub alice"))
	}
}

// baseURL returns where a browser on this machine finds the listener.
func baseURL(address net.Addr) string {
	host, port, _ := net.SplitHostPort(address.String()) // an address of a listener always has both
	if ip := net.ParseIP(host); ip == nil || ip.IsLoopback() || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// command returns the line that runs this binary with the arguments in another terminal, opened in the same folder. A
// DATA_DIR of this terminal alone is part of it: without it the other one would sign its tokens with another key.
func (c *cli) command(arguments string) string {
	path, err := os.Executable()
	if err != nil {
		path = "omnistack"
	}
	folder, err := os.Getwd()
	if err != nil {
		folder = "/"
	}
	line := shellWord(relativeTo(folder, path)) + " " + arguments
	for _, variable := range c.environ {
		if value, is := strings.CutPrefix(variable, "DATA_DIR="); is && value != "" {
			line = "DATA_DIR=" + shellWord(value) + " " + line
		}
	}
	return line
}

// relativeTo returns the shorter form of a path in or below the folder, and any other path as it is.
func relativeTo(folder, path string) string {
	relative, err := filepath.Rel(folder, path)
	if err != nil || !filepath.IsLocal(relative) {
		return path
	}
	return "./" + relative
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./,:@%+=-]+$`)

// shellWord returns the text as one word of a POSIX shell.
func shellWord(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
