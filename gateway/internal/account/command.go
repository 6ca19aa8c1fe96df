package account

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// Command is `account`: it gives people access to the node, on the machine where the node runs. open gives the accounts
// and the node's public address (its entity URL).
func Command(open func(ctx context.Context) (store *Store, publicURL string, err error)) *cobra.Command {
	c := &cobra.Command{
		Use:   "account",
		Short: "Accounts van collega's: uitnodigen, bekijken, sluiten",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(inviteCommand(open), listCommand(open), linkCommand(open), closeCommand(open))
	for _, sub := range c.Commands() {
		sub.SilenceUsage = true
	}
	return c
}

type opener = func(ctx context.Context) (*Store, string, error)

func inviteCommand(open opener) *cobra.Command {
	var i Invitation
	c := &cobra.Command{
		Use:     "invite",
		Short:   "Maak een account en een eenmalige inloglink",
		Example: `  zijlicht account invite --name "Anna de Vries" --unit "team noord" --role professional`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, url, err := open(cmd.Context())
			if err != nil {
				return err
			}
			link, err := store.Invite(cmd.Context(), i)
			if err != nil {
				return inDutch(err)
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "Het account van %s is gemaakt (%s; %s).\nAccount: %s\n\n",
				strings.TrimSpace(i.Name), strings.TrimSpace(i.Unit), strings.Join(i.Roles, ", "), link.AccountID)
			printLink(out, url, link)
			return nil
		},
	}
	c.Flags().StringVar(&i.Name, "name", "", "naam zoals collega's die kennen")
	c.Flags().StringVar(&i.Unit, "unit", "", "team of afdeling; collega's met hetzelfde team vormen samen het eigen team")
	c.Flags().StringSliceVar(&i.Roles, "role", nil, "rol, mag vaker: "+strings.Join(Roles, ", "))
	validityFlag(c, &i.ValidFor)
	for _, name := range []string{"name", "unit", "role"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined just above
		}
	}
	return c
}

func listCommand(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Toon alle accounts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, _, err := open(cmd.Context())
			if err != nil {
				return err
			}
			all, err := store.List(cmd.Context())
			if err != nil {
				return err
			}
			if len(all) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "Er zijn nog geen accounts. Maak er een met: zijlicht account invite")
				return nil
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ACCOUNT\tNAAM\tTEAM\tROLLEN\tSTAND")
			for _, a := range all {
				state := "open"
				if a.Closed() {
					state = "gesloten op " + a.CloseTime.Local().Format("2-1-2006")
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.ID, a.Name, a.Unit, strings.Join(a.Roles, ", "), state)
			}
			return w.Flush()
		},
	}
}

func linkCommand(open opener) *cobra.Command {
	var validFor time.Duration
	c := &cobra.Command{
		Use:   "link ACCOUNT",
		Short: "Maak een nieuwe inloglink voor een account",
		Long:  "Maak een nieuwe inloglink voor een account. Een eerdere link die nog niet is gebruikt, werkt daarna niet meer.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, url, err := open(cmd.Context())
			if err != nil {
				return err
			}
			link, err := store.NewLink(cmd.Context(), args[0], validFor)
			if err != nil {
				return inDutch(err)
			}
			printLink(cmd.OutOrStdout(), url, link)
			return nil
		},
	}
	validityFlag(c, &validFor)
	return c
}

func closeCommand(open opener) *cobra.Command {
	var sure bool
	c := &cobra.Command{
		Use:   "close ACCOUNT",
		Short: "Sluit een account",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, _, err := open(cmd.Context())
			if err != nil {
				return err
			}
			a, err := store.Find(cmd.Context(), args[0])
			if err != nil {
				return inDutch(err)
			}
			out := cmd.OutOrStdout()
			if a.Closed() {
				fmt.Fprintf(out, "Het account van %s was al gesloten.\n", a.Name)
				return nil
			}
			if !sure {
				fmt.Fprintf(out, "Het account van %s (%s) sluiten? Inloggen kan daarna niet meer, en dit kan niet terug.\nTyp ja om door te gaan: ", a.Name, a.Unit)
				answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if err != nil && !errors.Is(err, io.EOF) {
					return err
				}
				if strings.ToLower(strings.TrimSpace(answer)) != "ja" {
					return errors.New("er is niets veranderd")
				}
			}
			if err := store.CloseAccount(cmd.Context(), a.ID); err != nil {
				return inDutch(err)
			}
			fmt.Fprintf(out, "Het account van %s is gesloten.\n", a.Name)
			return nil
		},
	}
	c.Flags().BoolVar(&sure, "yes", false, "sluit zonder te vragen")
	return c
}

func validityFlag(c *cobra.Command, validFor *time.Duration) {
	c.Flags().DurationVar(validFor, "valid-for", defaultValidity, "hoe lang de link werkt, ten hoogste 720h (30 dagen)")
}

// printLink puts the secret behind the #: a browser keeps that part to itself, so it is in no request and no log.
func printLink(w io.Writer, publicURL string, l Link) {
	fmt.Fprintf(w, "Eenmalige inloglink. Geef hem alleen aan deze persoon; hij wordt niet nog eens getoond.\n\n  %s/sign-in#%s\n\n"+
		"De link werkt één keer, tot en met %s.\n",
		strings.TrimRight(publicURL, "/"), l.Secret, l.ExpireTime.Local().Format("2-1-2006 om 15:04 uur (MST)"))
}

// inDutch says what the person at the keyboard can do about an error.
func inDutch(err error) error {
	var invalid *InvalidError
	switch {
	case errors.Is(err, ErrNotFound):
		return errors.New("er is geen open account met dit nummer; zie: zijlicht account list")
	case errors.As(err, &invalid):
		return errors.New(map[string]string{
			"name":     "de naam moet uit 1 tot 200 tekens bestaan",
			"unit":     "de naam van het team moet uit 1 tot 100 tekens bestaan",
			"roles":    "kies één of meer rollen, elk één keer: " + strings.Join(Roles, ", "),
			"validity": "een link werkt ten hoogste 720h (30 dagen)",
		}[invalid.Field])
	}
	return err
}
