// Package catalog reads the models, their prices and the routes from a file of YAML.
package catalog

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/omnistack/omnistack/modules/ai/internal/domain"
)

//go:embed models.yaml
var builtIn []byte

// file is what stands in a file of models.
type file struct {
	Version  string              `yaml:"version"`
	Families map[string]string   `yaml:"families"`
	Models   []model             `yaml:"models"`
	Routes   map[string][]string `yaml:"routes"`
}

type model struct {
	ID          string   `yaml:"id"`
	Provider    string   `yaml:"provider"`
	Aliases     []string `yaml:"aliases"`
	Context     int      `yaml:"context"`
	MaxOutput   int      `yaml:"max_output"`
	Accepts     []string `yaml:"accepts"`
	Prices      []price  `yaml:"prices"`
	RetiresOn   day      `yaml:"retires_on"`
	Replacement string   `yaml:"replacement"`
	Source      string   `yaml:"source"`
	Checked     day      `yaml:"checked"`
}

type price struct {
	From        day     `yaml:"from"`
	Input       dollars `yaml:"input"`
	CachedRead  dollars `yaml:"cached_read"`
	CachedWrite dollars `yaml:"cached_write"`
	Output      dollars `yaml:"output"`
	Long        struct {
		Above         int `yaml:"above"`
		InputPercent  int `yaml:"input_percent"`
		OutputPercent int `yaml:"output_percent"`
	} `yaml:"long"`
}

// day is a day such as 2026-11-26, which begins at midnight UTC.
type day struct{ time.Time }

// UnmarshalYAML reads a day.
func (d *day) UnmarshalYAML(node *yaml.Node) error {
	at, err := time.Parse(time.DateOnly, node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is no day such as 2026-11-26", node.Line, node.Value)
	}
	d.Time = at
	return nil
}

// dollars is a price in US dollars for a million tokens, kept in picodollars for each.
type dollars domain.Pico

// UnmarshalYAML reads a price, which has at most six digits behind its point.
func (d *dollars) UnmarshalYAML(node *yaml.Node) error {
	var amount float64
	if err := node.Decode(&amount); err != nil {
		return err
	}
	micro := math.Round(amount * 1e6)
	if !(amount >= 0 && amount <= 1e6) || math.Abs(micro-amount*1e6) > 1e-3 {
		return fmt.Errorf("line %d: %s is no price in dollars for a million tokens", node.Line, node.Value)
	}
	*d = dollars(micro)
	return nil
}

// BuiltIn returns the built-in catalogue.
func BuiltIn() (*domain.Catalog, error) { return read(builtIn) }

// Read returns the catalogue of a file. One that isn't there, can't be read or makes no sense is an error.
func Read(path string) (*domain.Catalog, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	catalog, err := read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return catalog, nil
}

func read(text []byte) (*domain.Catalog, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var written file
	if err := decoder.Decode(&written); err != nil {
		return nil, err
	}
	models := make([]domain.Model, len(written.Models))
	var wrong []error
	for i := range written.Models {
		var err error
		if models[i], err = written.Models[i].made(); err != nil {
			wrong = append(wrong, fmt.Errorf("model %q: %w", written.Models[i].ID, err))
		}
	}
	catalog, err := domain.NewCatalog(written.Version, models, written.Routes, written.Families)
	if err := errors.Join(append(wrong, err)...); err != nil {
		return nil, err
	}
	return catalog, nil
}

func (m *model) made() (domain.Model, error) {
	made := domain.Model{
		ID: m.ID, Provider: m.Provider, Aliases: m.Aliases, Context: m.Context, MaxOutput: m.MaxOutput,
		RetiresOn: m.RetiresOn.Time, Replacement: m.Replacement,
	}
	for _, p := range m.Prices {
		made.Prices = append(made.Prices, domain.Price{
			From: p.From.Time, Input: domain.Pico(p.Input), CachedRead: domain.Pico(p.CachedRead),
			CachedWrite: domain.Pico(p.CachedWrite), Output: domain.Pico(p.Output), Long: domain.Long(p.Long),
		})
	}
	accepts := map[string]*bool{
		"temperature": &made.Accepts.Temperature, "top_p": &made.Accepts.TopP, "stop": &made.Accepts.Stop,
		"tools": &made.Accepts.Tools, "json_schema": &made.Accepts.JSONSchema, "images": &made.Accepts.Images,
		"effort": &made.Accepts.Effort, "embeddings": &made.Accepts.Embeddings,
	}
	for _, name := range m.Accepts {
		field, found := accepts[name]
		if !found {
			return made, fmt.Errorf("%q is nothing that a model accepts", name)
		}
		*field = true
	}
	if m.Source == "" || m.Checked.IsZero() {
		return made, errors.New("it doesn't say where it comes from and when that was checked")
	}
	return made, nil
}
