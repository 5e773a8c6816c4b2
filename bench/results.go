package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// results are all figures of a run.
type results struct {
	settings settings
	took     time.Duration
	// figures by scenario, contender and metric, one for each round.
	figures map[string]map[string]map[string][]float64
}

func newResults(s settings) *results {
	return &results{settings: s, figures: make(map[string]map[string]map[string][]float64)}
}

func (r *results) add(s scenario, c contender, m measured) {
	if r.figures[s.name] == nil {
		r.figures[s.name] = make(map[string]map[string][]float64)
	}
	of := r.figures[s.name][c.name]
	if of == nil {
		of = make(map[string][]float64)
		r.figures[s.name][c.name] = of
	}
	var line []string
	for _, metric := range s.metrics {
		if value, found := m[metric.key]; found {
			of[metric.key] = append(of[metric.key], value)
			line = append(line, metric.key+" "+figure(value))
		}
	}
	fmt.Fprintf(os.Stderr, "%s  %-8s %-13s %s\n", time.Now().Format(time.TimeOnly), s.name, c.name, strings.Join(line, ", "))
}

// write prints the tables and writes them with the figures and the plot.
func (r *results) write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text := r.markdown()
	fmt.Print(text)
	figures, err := json.MarshalIndent(r.figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "results.json"), append(figures, '\n'), 0o644); err != nil { //nolint:gosec // to be read
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "results.md"), []byte(text), 0o644); err != nil { //nolint:gosec // to be read
		return err
	}
	return r.plot(filepath.Join(folder, "results.svg"))
}

func (r *results) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Roomcast beside its peers\n\nOne run on one machine, %s; %s; medians of %d rounds, servers in turn; in brackets\nRoomcast's figure divided by the other's, the median of the rounds' ratios. Publications carry %d bytes.\n",
		description(), r.took, r.settings.rounds, payloadBytes)
	if r.settings.small {
		b.WriteString("\n**A tenth of the work: these figures say nothing.**\n")
	}
	for _, name := range r.settings.scenarios {
		r.table(&b, scenarioNamed(name))
	}
	return b.String()
}

func (r *results) table(b *strings.Builder, s scenario) {
	contenders := s.contenders(r.settings.peers)
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n| |", s.name, s.title)
	if s.rows {
		r.tableOfRows(b, s, contenders)
		return
	}
	for _, c := range contenders {
		fmt.Fprintf(b, " %s |", c.name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(contenders)) + "\n")
	for _, m := range s.metrics {
		fmt.Fprintf(b, "| %s |", m.title)
		for _, c := range contenders {
			fmt.Fprintf(b, " %s |", r.cell(s, m, c))
		}
		b.WriteString("\n")
	}
}

func (r *results) tableOfRows(b *strings.Builder, s scenario, contenders []contender) {
	for _, m := range s.metrics {
		fmt.Fprintf(b, " %s |", m.title)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(s.metrics)) + "\n")
	for _, c := range contenders {
		fmt.Fprintf(b, "| %s |", c.name)
		for _, m := range s.metrics {
			fmt.Fprintf(b, " %s |", r.cell(s, m, c))
		}
		b.WriteString("\n")
	}
}

func (r *results) cell(s scenario, m metric, c contender) string {
	values := r.figures[s.name][c.name][m.key]
	if len(values) == 0 {
		return "–"
	}
	text := figure(median(values))
	if ratio, ok := r.ratio(s, m, c); ok {
		text += fmt.Sprintf(" (%.2f×)", ratio)
	}
	return text
}

// ratio is ours divided by another's, the median of the rounds.
func (r *results) ratio(s scenario, m metric, c contender) (float64, bool) {
	mine, theirs := r.figures[s.name][ours][m.key], r.figures[s.name][c.name][m.key]
	if c.name == ours || m.plain || len(mine) != len(theirs) {
		return 0, false
	}
	ratios := make([]float64, len(mine))
	for i := range mine {
		ratios[i] = mine[i] / theirs[i]
	}
	return median(ratios), true
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// figure has three digits that count.
func figure(value float64) string {
	if value == 0 || math.IsNaN(value) || math.IsInf(value, 0) {
		return fmt.Sprint(value)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(value)))))
	return fmt.Sprintf("%.*f", digits, value)
}
