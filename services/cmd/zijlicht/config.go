package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"gopkg.in/yaml.v3"

	"github.com/zijlicht/zijlicht/services/platform/members"
)

// config of one node, a YAML file. Unknown keys are refused. What is secret is in
// files of its own, in the directory secrets, beside it.
type config struct {
	// Node is the short name of the node; it is part of the names of the database's roles.
	Node string `yaml:"node"`
	// EntityURL is the organisation's id, issuer and public address.
	EntityURL string `yaml:"entity_url"`
	// Listen is where the gateway listens.
	Listen string `yaml:"listen"`
	// Database is the address of the node's database, without a password: every service logs in as its own role.
	Database string `yaml:"database"`
	// Secrets is the directory of the keys; relative to the file.
	Secrets string `yaml:"secrets"`
	// Anchor is the federation's trust anchor.
	Anchor anchorConfig `yaml:"anchor"`
	// Services has the address of each service that does not run in the process of the one that calls it.
	Services map[string]string `yaml:"services,omitempty"`
	// ThinkingTime passes before a resident's yes counts.
	ThinkingTime duration `yaml:"thinking_time"`

	dir string
}

type anchorConfig struct {
	// Issuer is the anchor's entity URL; the member document is fetched there.
	Issuer string `yaml:"issuer"`
	// Keys is the file of the anchor's pinned public keys; relative to the configuration.
	Keys string `yaml:"keys"`
	// Serve says that this node is the anchor.
	Serve bool `yaml:"serve,omitempty"`
}

type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	*d = duration(v)
	return err
}

func (d duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// defaultThinkingTime is a week.
const defaultThinkingTime = duration(7 * 24 * time.Hour)

// loadConfig reads and checks a node's configuration.
func loadConfig(path string) (config, error) {
	c := config{ThinkingTime: defaultThinkingTime, Secrets: "secrets"}
	raw, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if c.dir, err = filepath.Abs(filepath.Dir(path)); err != nil {
		return c, err
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c config) check() error {
	var errs []error
	if c.Node == "" || strings.Trim(c.Node, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		errs = append(errs, errors.New("node: want a short name of small letters and digits"))
	}
	if err := members.CheckEntityURL(c.EntityURL); err != nil {
		errs = append(errs, fmt.Errorf("entity_url: %w", err))
	}
	if err := members.CheckEntityURL(c.Anchor.Issuer); err != nil {
		errs = append(errs, fmt.Errorf("anchor.issuer: %w", err))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("listen: %w", err))
	}
	if d, err := pgx.ParseConfig(c.Database); c.Database == "" || err != nil {
		errs = append(errs, errors.New("database: want the address of the node's database, such as postgres://host:5432/name"))
	} else if d.Password != "" {
		errs = append(errs, errors.New("database: leave the password out; migrate reads the administrator's address from --admin"))
	}
	if c.ThinkingTime < 0 {
		errs = append(errs, errors.New("thinking_time: cannot be negative"))
	}
	for name := range c.Services {
		if _, ok := targets[name]; !ok {
			errs = append(errs, fmt.Errorf("services: %q is no service", name))
		}
	}
	return errors.Join(errs...)
}

func (c config) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

func (c config) secret(name string) string { return filepath.Join(c.path(c.Secrets), name) }

// write saves a configuration, for the demo.
func (c config) write(path string) error {
	raw, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}
