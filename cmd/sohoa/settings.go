package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"sohoa/dossier"
	"sohoa/web"
)

// file is sohoa.yaml: every flag by its name, and what does not fit a flag.
type file struct {
	Profiles  []dossier.Profile    `yaml:"profiles"`  // own scan rules
	Retention []dossier.Retention  `yaml:"retention"` // how long stored documents are kept from being deleted
	SignOn    *web.SignOn          `yaml:"sso"`       // the single sign-on
	Flags     map[string]yaml.Node `yaml:",inline"`
}

// settings completes the command's flags: what the command line does not say
// comes from the environment (SOHOA_…), then from sohoa.yaml. A key of the file
// that no command has is an error, because a misspelt setting must not pass in
// silence.
func (a *app) settings(cmd *cobra.Command) error {
	conf, path, err := a.readFile(cmd)
	if err != nil {
		return err
	}
	for _, p := range conf.Profiles {
		if err := p.Valid(); err != nil {
			return usage("%s: %w", path, err)
		}
	}
	a.profiles = conf.Profiles
	for _, r := range conf.Retention {
		if err := r.Valid(); err != nil {
			return usage("%s: %w", path, err)
		}
	}
	a.retention = conf.Retention
	if a.signOn = conf.SignOn; a.signOn != nil {
		if err := a.signOn.Valid(); err != nil {
			return usage("%s: sso: %w", path, err)
		}
	}
	known := map[string]bool{}
	everyFlag(cmd.Root(), func(f *pflag.Flag) { known[f.Name] = true })
	for _, key := range slices.Sorted(maps.Keys(conf.Flags)) {
		if !known[key] {
			return usage("%s: unknown key %q", path, key)
		}
	}
	var bad error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || bad != nil {
			return
		}
		name := "SOHOA_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := os.LookupEnv(name); ok {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				bad = usage("%s: %w", name, err)
			}
			return
		}
		if node, ok := conf.Flags[f.Name]; ok {
			var v string
			err := node.Decode(&v)
			if err == nil {
				err = cmd.Flags().Set(f.Name, v)
			}
			if err != nil {
				bad = usage("%s: %s: %w", path, f.Name, err)
			}
		}
	})
	return bad
}

func (a *app) readFile(cmd *cobra.Command) (conf file, path string, err error) {
	path, asked := a.config, a.config != ""
	if !asked {
		path, asked = os.LookupEnv("SOHOA_CONFIG")
	}
	if !asked {
		path = "sohoa.yaml"
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return file{}, path, nil
	}
	if err != nil {
		return file{}, path, usage("settings: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&conf); err != nil && !errors.Is(err, io.EOF) {
		return file{}, path, usage("%s: %w", path, err)
	}
	return conf, path, nil
}

// signOnSecret reads what we show the provider: from the environment, or from a
// file, never from the settings themselves, which people copy and send around.
func (a *app) signOnSecret() error {
	if a.signOn == nil {
		return nil
	}
	if a.signOn.ClientSecret = os.Getenv("SOHOA_SSO_CLIENT_SECRET"); a.signOn.ClientSecret != "" || a.signOn.SecretFile == "" {
		return nil
	}
	b, err := os.ReadFile(a.signOn.SecretFile)
	if err != nil {
		return usage("sso: client_secret_file: %w", err)
	}
	a.signOn.ClientSecret = strings.TrimSpace(string(b))
	return nil
}

func everyFlag(cmd *cobra.Command, f func(*pflag.Flag)) {
	cmd.PersistentFlags().VisitAll(f)
	cmd.Flags().VisitAll(f)
	for _, c := range cmd.Commands() {
		everyFlag(c, f)
	}
}

// dateFlag is a day on the command line.
type dateFlag struct{ day *dossier.Date }

func (d dateFlag) String() string {
	if d.day == nil {
		return ""
	}
	return d.day.String()
}
func (d dateFlag) Type() string { return "yyyy-mm-dd" }
func (d dateFlag) Set(s string) error {
	v, err := dossier.ParseDate(s)
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	*d.day = v
	return nil
}

// choice is a flag that takes one of a few words.
type choice struct {
	value *string
	from  []string
}

func (c choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}
func (c choice) Type() string { return strings.Join(c.from, "|") }
func (c choice) Set(s string) error {
	if !slices.Contains(c.from, s) {
		return fmt.Errorf("must be one of %s", strings.Join(c.from, ", "))
	}
	*c.value = s
	return nil
}
