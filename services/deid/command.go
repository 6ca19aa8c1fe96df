package deid

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zijlicht/zijlicht/services/deid/internal/biz"
)

// Command is "zijlicht deid".
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "deid",
		Short: "Zoek en vervang wat naar een persoon kan wijzen",
		Long:  "Zoek en vervang wat naar een persoon kan wijzen. De tekst is daarna gepseudonimiseerd, niet anoniem: lees altijd zelf mee.",
	}
	c.AddCommand(inspectCommand(), applyCommand(), evalCommand())
	return c
}

// input is one line of --jsonl.
type input struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

type inspected struct {
	ID string `json:"id"`
	Result
}

type applied struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	Risk Risk   `json:"risk"`
}

// lists are the flags for an organisation's own words.
type lists struct{ allow, deny string }

func (l *lists) flags(c *cobra.Command) {
	c.Flags().StringVar(&l.allow, "allow", "", "bestand met woorden die blijven staan, één per regel")
	c.Flags().StringVar(&l.deny, "deny", "", "bestand met woorden die altijd weg moeten, één per regel")
}

func (l *lists) options() (Options, error) {
	var o Options
	for _, f := range []struct {
		path string
		into *[]string
	}{{l.allow, &o.Allow}, {l.deny, &o.Deny}} {
		if f.path == "" {
			continue
		}
		b, err := os.ReadFile(f.path)
		if err != nil {
			return o, fmt.Errorf("lijst lezen: %w", err)
		}
		for _, w := range strings.Split(string(b), "\n") {
			if w = strings.TrimSpace(w); w != "" {
				*f.into = append(*f.into, w)
			}
		}
	}
	return o, nil
}

func inspectCommand() *cobra.Command {
	var l lists
	var jsonl bool
	c := &cobra.Command{
		Use:   "inspect",
		Short: "Laat zien wat er gevonden is, met een voorstel en het restrisico",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := l.options()
			if err != nil {
				return err
			}
			return each(cmd.InOrStdin(), cmd.OutOrStdout(), jsonl, func(in input) (any, error) {
				r := Inspect(in.Text, o)
				if jsonl {
					return inspected{in.ID, r}, nil
				}
				return r, nil
			})
		},
	}
	l.flags(c)
	c.Flags().BoolVar(&jsonl, "jsonl", false, `lees en schrijf één JSON-object per regel: {"id","text"}`)
	return c
}

func applyCommand() *cobra.Command {
	var l lists
	var jsonl bool
	c := &cobra.Command{
		Use:   "apply",
		Short: "Schrijf de tekst met alle voorstellen overgenomen",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := l.options()
			if err != nil {
				return err
			}
			return each(cmd.InOrStdin(), cmd.OutOrStdout(), jsonl, func(in input) (any, error) {
				text, err := Apply(in.Text, Replacements(Inspect(in.Text, o).Spans))
				if err != nil {
					return nil, err
				}
				if jsonl {
					return applied{in.ID, text, Assess([]string{text}, o)}, nil
				}
				return text, nil
			})
		},
	}
	l.flags(c)
	c.Flags().BoolVar(&jsonl, "jsonl", false, `lees en schrijf één JSON-object per regel: {"id","text"}`)
	return c
}

func evalCommand() *cobra.Command {
	var l lists
	var leaks bool
	c := &cobra.Command{
		Use:   "eval BESTAND",
		Short: "Meet de herkenning op teksten waarin al staat wat weg moet",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := l.options()
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			cases, err := biz.ReadCases(f)
			if err != nil {
				return err
			}
			found := make(map[string][]Span, len(cases))
			for _, c := range cases {
				found[c.ID] = Inspect(c.Text, o).Spans
			}
			e := biz.Evaluate(cases, found)
			if err := e.Table(cmd.OutOrStdout()); err != nil || !leaks {
				return err
			}
			for _, s := range e.Leaks {
				fmt.Fprintln(cmd.OutOrStdout(), "gemist:", s)
			}
			for _, s := range e.Extra {
				fmt.Fprintln(cmd.OutOrStdout(), "te veel:", s)
			}
			return nil
		},
	}
	l.flags(c)
	c.Flags().BoolVar(&leaks, "leaks", false, "noem ook wat gemist is en wat te veel is; dat zijn woorden uit de teksten")
	return c
}

var errLine = errors.New("geen geldige regel: verwacht een JSON-object met id en text")

// each handles standard input as one text, or as one JSON object a line.
func each(r io.Reader, w io.Writer, jsonl bool, do func(input) (any, error)) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if !jsonl {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		v, err := do(input{Text: string(b)})
		if err != nil {
			return err
		}
		if s, ok := v.(string); ok {
			_, err = out.WriteString(s)
		} else {
			err = enc.Encode(v)
		}
		if err != nil {
			return err
		}
		return out.Flush()
	}
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), biz.MaxLine)
	for n := 1; in.Scan(); n++ {
		if strings.TrimSpace(in.Text()) == "" {
			continue
		}
		var line input
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			return fmt.Errorf("regel %d: %w", n, errLine)
		}
		v, err := do(line)
		if err != nil {
			return fmt.Errorf("regel %d: %w", n, err)
		}
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("lezen: %w", err)
	}
	return out.Flush()
}
