package anchor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"github.com/zijlicht/zijlicht/services/platform/members"
)

// cli is what the commands share.
type cli struct {
	open   func(context.Context) (*Store, error)
	asJSON bool
	by     string
}

// Command is `zijlicht anchor`: the federation administrator's commands. open is called once per command that does
// something; what it opened is the caller's to close.
func Command(open func(ctx context.Context) (*Store, error)) *cobra.Command {
	c := &cli{open: open}
	root := &cobra.Command{
		Use:   "anchor",
		Short: "Beheer wie meedoet aan de federatie en in welke leerkringen",
		Args:  cobra.NoArgs,
	}
	root.PersistentFlags().BoolVar(&c.asJSON, "json", false, "antwoord als JSON, voor programma's")
	root.PersistentFlags().StringVar(&c.by, "by", whoami(), "wie dit doet; dit komt in het logboek")
	root.AddCommand(c.member(), c.circle(), c.mark(), c.log())
	return root
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// action is a command that changes something; done is what to tell when it did.
func (c *cli) action(use, short string, args int, done string, f func(ctx context.Context, s *Store, args []string) (Change, error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: c.exactly(args), RunE: func(cmd *cobra.Command, args []string) error {
		return c.change(cmd, done, func(ctx context.Context, s *Store) (Change, error) { return f(ctx, s, args) })
	}}
}

func (c *cli) exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("gebruik: %s", cmd.UseLine())
		}
		return nil
	}
}

func (c *cli) change(cmd *cobra.Command, done string, f func(context.Context, *Store) (Change, error)) error {
	cmd.SilenceUsage = true
	s, err := c.open(cmd.Context())
	if err != nil {
		return shown{err}
	}
	change, err := f(cmd.Context(), s)
	if err != nil {
		return shown{err}
	}
	if c.asJSON {
		return c.json(cmd, change)
	}
	out := cmd.OutOrStdout()
	if !change.Changed {
		fmt.Fprintln(out, "Dat was al zo. Er is niets veranderd.")
		return nil
	}
	fmt.Fprintf(out, "%s (Wijziging %d.)\n", done, change.Serial)
	for _, n := range change.Notes {
		fmt.Fprintln(out, sentence(n.Code, n.Subject))
	}
	return nil
}

func (c *cli) json(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// list is a command that shows something: as a table for people, as it is for programs.
func (c *cli) list(use, short string, f func(ctx context.Context, s *Store) (any, func(io.Writer), error)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: c.exactly(0), RunE: func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		s, err := c.open(cmd.Context())
		if err != nil {
			return shown{err}
		}
		v, table, err := f(cmd.Context(), s)
		if err != nil {
			return shown{err}
		}
		if c.asJSON {
			return c.json(cmd, v)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		table(w)
		return w.Flush()
	}}
}

func (c *cli) member() *cobra.Command {
	root := &cobra.Command{Use: "member", Short: "Organisaties: toelaten, stilzetten, verwijderen", Args: cobra.NoArgs}

	var n NewOrganisation
	var kind, keys string
	add := c.action("add --id ADRES --name NAAM --kind SOORT --keys BESTAND|ADRES", "Laat een organisatie toe", 0,
		"De organisatie doet nu mee.", func(ctx context.Context, s *Store, _ []string) (Change, error) {
			n.Kind = members.Kind(kind)
			var err error
			if n.Keys, err = readKeys(ctx, keys); err != nil {
				return Change{}, err
			}
			return s.AddOrganisation(ctx, c.by, n)
		})
	add.Flags().StringVar(&n.ID, "id", "", "adres van de organisatie, bijvoorbeeld https://zijlicht.voorbeeld.nl")
	add.Flags().StringVar(&n.Name, "name", "", "naam zoals mensen hem kennen")
	add.Flags().StringVar(&kind, "kind", string(members.Wijkteam), "soort: wijkteam, municipality (gemeente) of anchor")
	add.Flags().StringVar(&keys, "keys", "", "openbare sleutels (JWKS): een bestand, of een https-adres")
	add.Flags().StringSliceVar(&n.TrustMarks, "mark", nil, "keurmerk; mag vaker. Zonder: wat bij de soort hoort")
	add.Flags().StringVar(&n.TokenEndpoint, "token-endpoint", "", "adres voor toegang, als dat anders is dan ADRES"+tokenPath)
	add.Flags().StringVar(&n.FederationBase, "federation-base", "", "adres voor andere organisaties, als dat anders is dan ADRES"+federationPath)

	var newKeys string
	replace := c.action("keys ADRES --keys BESTAND|ADRES", "Vervang de sleutels van een organisatie", 1, "De sleutels zijn vervangen.",
		func(ctx context.Context, s *Store, args []string) (Change, error) {
			set, err := readKeys(ctx, newKeys)
			if err != nil {
				return Change{}, err
			}
			return s.ReplaceKeys(ctx, c.by, args[0], set)
		})
	replace.Flags().StringVar(&newKeys, "keys", "", "openbare sleutels (JWKS): een bestand, of een https-adres")

	suspend := c.action("suspend ADRES", "Zet een organisatie stil; dat kan terug", 1, "De organisatie staat nu stil. Binnen tien minuten weet iedereen het.",
		func(ctx context.Context, s *Store, args []string) (Change, error) {
			return s.SuspendOrganisation(ctx, c.by, args[0])
		})
	resume := c.action("resume ADRES", "Laat een organisatie weer meedoen", 1, "De organisatie doet weer mee.",
		func(ctx context.Context, s *Store, args []string) (Change, error) {
			return s.ResumeOrganisation(ctx, c.by, args[0])
		})
	root.AddCommand(add, replace, suspend, resume, c.remove(), c.list("list", "Toon alle organisaties", listMembers))
	return root
}

func (c *cli) remove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "remove ADRES", Short: "Verwijder een organisatie die stilstaat; dat kan niet terug", Args: c.exactly(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		if !yes {
			fmt.Fprintf(cmd.ErrOrStderr(), "Je verwijdert %s voorgoed. De sleutels, keurmerken en plaatsen in leerkringen gaan weg.\nTyp het adres over om door te gaan: ", args[0])
			line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 1024)).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) || strings.TrimSpace(line) != args[0] {
				return shown{&Refusal{Code: "confirm.missing", Subject: args[0]}}
			}
		}
		return c.change(cmd, "De organisatie is verwijderd.", func(ctx context.Context, s *Store) (Change, error) {
			return s.RemoveOrganisation(ctx, c.by, args[0])
		})
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "vraag niet of het zeker is")
	return cmd
}

func listMembers(ctx context.Context, s *Store) (any, func(io.Writer), error) {
	d, err := s.Document(ctx)
	return d.Organisations, func(w io.Writer) {
		if len(d.Organisations) == 0 {
			fmt.Fprintln(w, "Er doet nog geen organisatie mee.")
			return
		}
		fmt.Fprintln(w, "ADRES\tNAAM\tSOORT\tSTAND\tKEURMERKEN")
		for _, o := range d.Organisations {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", o.ID, o.Name, o.Kind, stateNames[string(o.State)], strings.Join(o.TrustMarks, ", "))
		}
	}, err
}

func (c *cli) circle() *cobra.Command {
	root := &cobra.Command{Use: "circle", Short: "Leerkringen: maken, meedoen, stilzetten", Args: cobra.NoArgs}
	var n NewCircle
	var until string
	add := c.action("add --id ID --name NAAM", "Maak een leerkring", 0, "De leerkring is er. Er zit nog niemand in.",
		func(ctx context.Context, s *Store, _ []string) (Change, error) {
			if until != "" {
				day, err := time.Parse(time.DateOnly, until)
				if err != nil {
					return Change{}, &Refusal{Code: "date.invalid", Subject: until}
				}
				n.ValidUntil = day.AddDate(0, 0, 1) // the day itself still counts
			}
			return s.AddCircle(ctx, c.by, n)
		})
	add.Flags().StringVar(&n.ID, "id", "", "korte naam: kleine letters, cijfers en streepjes")
	add.Flags().StringVar(&n.Name, "name", "", "naam zoals mensen hem kennen")
	add.Flags().StringVar(&until, "until", "", "laatste dag, bijvoorbeeld 2027-06-30 (UTC); zonder: geen einde")

	root.AddCommand(add,
		c.action("join ID ADRES", "Zet een organisatie in een leerkring", 2, "De organisatie zit nu in de leerkring.",
			func(ctx context.Context, s *Store, args []string) (Change, error) {
				return s.JoinCircle(ctx, c.by, args[0], args[1])
			}),
		c.action("leave ID ADRES", "Haal een organisatie uit een leerkring", 2, "De organisatie zit niet meer in de leerkring.",
			func(ctx context.Context, s *Store, args []string) (Change, error) {
				return s.LeaveCircle(ctx, c.by, args[0], args[1])
			}),
		c.action("pause ID", "Zet een leerkring stil; dat kan terug", 1, "De leerkring staat nu stil.",
			func(ctx context.Context, s *Store, args []string) (Change, error) {
				return s.PauseCircle(ctx, c.by, args[0])
			}),
		c.action("resume ID", "Laat een leerkring weer lopen", 1, "De leerkring loopt weer.",
			func(ctx context.Context, s *Store, args []string) (Change, error) {
				return s.ResumeCircle(ctx, c.by, args[0])
			}),
		c.action("end ID", "Beëindig een leerkring; dat kan niet terug", 1, "De leerkring is voorbij.",
			func(ctx context.Context, s *Store, args []string) (Change, error) {
				return s.EndCircle(ctx, c.by, args[0])
			}),
		c.list("list", "Toon alle leerkringen", listCircles))
	return root
}

func listCircles(ctx context.Context, s *Store) (any, func(io.Writer), error) {
	d, err := s.Document(ctx)
	return d.Circles, func(w io.Writer) {
		if len(d.Circles) == 0 {
			fmt.Fprintln(w, "Er is nog geen leerkring.")
			return
		}
		fmt.Fprintln(w, "ID\tNAAM\tSTAND\tORGANISATIES")
		for _, c := range d.Circles {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.ID, c.Name, circleNames[string(c.State)], strings.Join(c.Members, ", "))
		}
	}, err
}

func (c *cli) mark() *cobra.Command {
	root := &cobra.Command{Use: "mark", Short: "Keurmerken: member, municipality, lateral-review", Args: cobra.NoArgs}
	root.AddCommand(
		c.action("grant ADRES KEURMERK", "Geef een organisatie een keurmerk", 2, "De organisatie heeft nu dit keurmerk.",
			func(ctx context.Context, s *Store, args []string) (Change, error) {
				return s.GrantMark(ctx, c.by, args[0], args[1])
			}),
		c.action("revoke ADRES KEURMERK", "Neem een keurmerk terug", 2, "De organisatie heeft dit keurmerk niet meer.",
			func(ctx context.Context, s *Store, args []string) (Change, error) {
				return s.RevokeMark(ctx, c.by, args[0], args[1])
			}))
	return root
}

func (c *cli) log() *cobra.Command {
	return c.list("log", "Toon wie wat wanneer veranderde (de laatste 100)", func(ctx context.Context, s *Store) (any, func(io.Writer), error) {
		entries, err := s.Changes(ctx, 100)
		return entries, func(w io.Writer) {
			fmt.Fprintln(w, "NR\tWANNEER\tWIE\tWAT\tWAARVAN")
			for _, e := range entries {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", e.Serial, e.Time.Format("2006-01-02 15:04"), e.Actor, e.Action, e.Subject)
			}
		}, err
	})
}

// readKeys reads a key set from a file or from the node itself, over https (http on loopback only).
func readKeys(ctx context.Context, from string) (jose.JSONWebKeySet, error) {
	const limit = 64 << 10
	unreadable := &Refusal{Code: "keys.unreadable", Subject: from}
	var source io.ReadCloser
	if strings.Contains(from, "://") {
		if members.CheckURL(from) != nil {
			return jose.JSONWebKeySet{}, unreadable
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
		if err != nil {
			return jose.JSONWebKeySet{}, unreadable
		}
		client := http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			return jose.JSONWebKeySet{}, unreadable
		}
		source = resp.Body
		if resp.StatusCode != http.StatusOK {
			source.Close()
			return jose.JSONWebKeySet{}, unreadable
		}
	} else {
		f, err := os.Open(from)
		if err != nil {
			return jose.JSONWebKeySet{}, unreadable
		}
		source = f
	}
	defer source.Close()
	raw, err := io.ReadAll(io.LimitReader(source, limit+1))
	if err != nil || len(raw) > limit {
		return jose.JSONWebKeySet{}, unreadable
	}
	set, err := members.ParseKeys(raw)
	switch {
	case errors.Is(err, members.ErrPrivateKey):
		return set, &Refusal{Code: "keys.private", Subject: from}
	case err != nil:
		return set, &Refusal{Code: "keys.invalid", Subject: from}
	}
	return set, nil
}
