package module

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/omnistack/omnistack/platform/config"
	"github.com/omnistack/omnistack/platform/httpserver"
)

// Canvas is a module on one page: its Descriptor, with the routes and the settings that belong to it.
type Canvas struct {
	Descriptor
	About      string // what the context owns, keeps true and refuses, in Markdown; empty leaves it out
	Operations []httpserver.Route
	Variables  []config.Setting
}

// Markdown returns the canvas as a page. What a module doesn't have isn't on it.
func (c Canvas) Markdown() string {
	var page strings.Builder
	fmt.Fprintf(&page, "# %s\n\n%s\n", c.Name, c.Summary)
	if c.About != "" {
		fmt.Fprintf(&page, "\n%s\n", strings.TrimSpace(c.About))
	}

	var rows [][]string
	for _, route := range c.Operations {
		guard := string(route.Guard)
		if route.People {
			guard += ", people only"
		}
		rows = append(rows, []string{route.Method, code(route.Full), guard, string(route.Rate), route.Summary})
	}
	table(&page, "Routes", []string{"method", "path", "guard", "rate", "what"}, rows)

	rows = nil
	for _, port := range c.Ports {
		rows = append(rows, []string{code(port.Name), port.Summary})
	}
	table(&page, "Ports", []string{"port", "answers"}, rows)

	var sent []string
	for _, event := range c.Publishes {
		sent = append(sent, code(event.EventName()))
	}
	list(&page, "Events out", sent)

	rows = nil
	for _, consumer := range c.Consumes {
		rows = append(rows, []string{code(consumer.Event), code(consumer.Name), consumer.Summary})
	}
	table(&page, "Events in", []string{"event", "consumer", "what"}, rows)

	rows = nil
	for _, job := range c.Jobs {
		rows = append(rows, []string{code(job.Kind), cmp.Or(code(job.Cron), "when enqueued"), job.Summary})
	}
	table(&page, "Jobs", []string{"job", "runs", "what"}, rows)

	list(&page, "Metrics", c.Metrics)

	rows = nil
	for _, t := range c.Tables {
		rows = append(rows, []string{code(t.Name), t.Summary, cmp.Or(code(t.Owner), "nobody's")})
	}
	table(&page, "Tables", []string{"table", "holds", "whose data"}, rows)

	rows = nil
	for _, setting := range c.Variables {
		rows = append(rows, []string{code(setting.Name), code(setting.Default), setting.Help})
	}
	table(&page, "Settings", []string{"variable", "default", "decides"}, rows)

	var personal []string
	if c.Exporter != nil {
		personal = append(personal, "A person's data is exported from here.")
	}
	if c.Eraser != nil {
		personal = append(personal, "A person's data is erased from here.")
	}
	list(&page, "Personal data", personal)
	return page.String()
}

func table(page *strings.Builder, title string, head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(page, "\n## %s\n\n| %s |\n|%s\n", title, strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, row := range rows {
		page.WriteString("|")
		for _, text := range row {
			fmt.Fprintf(page, " %s |", cell.Replace(text))
		}
		page.WriteString("\n")
	}
}

// cell keeps a text from ending its cell or its row.
var cell = strings.NewReplacer("|", `\|`, "\n", " ")

func list(page *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(page, "\n## %s\n\n", title)
	for _, line := range lines {
		fmt.Fprintf(page, "- %s\n", line)
	}
}

// code returns the text as code, and nothing as nothing.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
