package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
)

// printHead prints what holds for all tables. Other work on the machine spoils every figure, so its load is part of it.
func printHead(out io.Writer, opts options) {
	busy := ""
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		busy, _, _ = strings.Cut(string(text), " ")
		busy = " (load " + busy + " before)"
	}
	fmt.Fprintf(out, "%d cores%s, %d connections, medians of %d rounds of %s; ratios are product to floor\n",
		runtime.NumCPU(), busy, opts.connections, opts.rounds, opts.length)
}

// The tables are 80 columns wide.
const (
	groupFormat = "%-6s %-36s %-17s %-10s %s\n"
	rowFormat   = "%-6s %6s %6s %5s %11s %4s %5s %5s %5s %4s %5s %4s %5s\n"
)

// print prints the table of one database.
func (f figures) print(out io.Writer) {
	fmt.Fprintf(out, "\n"+groupFormat, "", "requests a second on "+f.engine, "CPU µs a request", "p50 ms", "p95 ms")
	fmt.Fprintf(out, rowFormat, "", "prod.", "floor", "ratio", "from..to", "aim", "prod.", "floor", "ratio", "prod", "floor", "prod", "floor")
	for _, seen := range f.outcomes {
		seen.print(out)
	}
	f.guard.print(out)
	fmt.Fprintf(out, "Start to first answer: best %.0f ms, median %.0f ms.\n", slices.Min(f.starts), median(f.starts))
	fmt.Fprintf(out, "Memory after the load: %.0f MiB, %.0f of them its own, the rest the program's file; %.0f MiB at most.\n",
		f.memory.now, f.memory.own, f.memory.most)
	fmt.Fprintf(out, "Processor while nobody asks: %.1f %% of a core.\n", f.idle)
}

func (o outcome) print(out io.Writer) {
	perSecond := func(s sample) float64 { return s.perSecond }
	cpu := func(s sample) float64 { return s.cpu }
	p50 := func(s sample) float64 { return s.p50 }
	p95 := func(s sample) float64 { return s.p95 }

	spread, aim, ratios := "", "", o.ratios(perSecond)
	if len(ratios) > 0 {
		spread = fmt.Sprintf("%.2f..%.2f", slices.Min(ratios), slices.Max(ratios))
		aim = number("%.2f", o.endpoint.aim)
	}
	fmt.Fprintf(out, rowFormat, o.endpoint.name,
		number("%.0f", median(each(o.product, perSecond))), number("%.0f", median(each(o.floor, perSecond))),
		number("%.2f", median(ratios)), spread, aim,
		number("%.0f", median(each(o.product, cpu))), number("%.0f", median(each(o.floor, cpu))), number("%.1f", median(o.ratios(cpu))),
		number("%.1f", median(each(o.product, p50))), number("%.1f", median(each(o.floor, p50))),
		number("%.1f", median(each(o.product, p95))), number("%.1f", median(each(o.floor, p95))))
}

// ratios returns the product's figure by the floor's, round by round; none without a floor.
func (o outcome) ratios(figure func(sample) float64) []float64 {
	ratios := make([]float64, len(o.floor))
	for round := range ratios {
		if floor := figure(o.floor[round]); floor > 0 {
			ratios[round] = figure(o.product[round]) / floor
		}
	}
	return ratios
}

func each(samples []sample, figure func(sample) float64) []float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	return values
}

// median returns the middle of the values, between two of them their mean, 0 without any.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// number returns the value in the format, and nothing for what wasn't measured.
func number(format string, value float64) string {
	if value == 0 {
		return ""
	}
	return fmt.Sprintf(format, value)
}
