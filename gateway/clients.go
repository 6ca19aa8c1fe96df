package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
	"github.com/zijlicht/zijlicht/services/platform/members"
)

// Clients of a node: programs of the organisation itself, each with keys of its own.
type Clients = oauth.Clients

// machineScopes are what a machine client can be given. Scopes between nodes are not among them.
var machineScopes = []string{scopeCircles}

// ClientCommand is `zijlicht client`: add, list, disable.
func ClientCommand(open func(ctx context.Context) (Clients, error)) *cobra.Command {
	c := &cobra.Command{
		Use: "client", Short: "Programma's die zonder mens inloggen: toevoegen, bekijken, uitzetten", Args: cobra.NoArgs,
	}
	c.AddCommand(addClient(open), listClients(open), disableClient(open))
	for _, sub := range c.Commands() {
		sub.SilenceUsage = true
	}
	return c
}

func addClient(open func(context.Context) (Clients, error)) *cobra.Command {
	var file string
	var scopes []string
	c := &cobra.Command{
		Use:     "add ID",
		Short:   "Laat een programma toe, met zijn publieke sleutels",
		Example: "  zijlicht client add rooster --keys rooster.jwks --scope " + scopeCircles,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, s := range scopes {
				if !slices.Contains(machineScopes, s) {
					return fmt.Errorf("een programma kan alleen dit recht krijgen: %s", strings.Join(machineScopes, ", "))
				}
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("het bestand met sleutels is niet te lezen: %w", err)
			}
			keys, err := members.ParseKeys(raw)
			switch {
			case errors.Is(err, members.ErrPrivateKey):
				return errors.New("in dit bestand staat een geheime sleutel. Die hoort alleen bij het programma zelf. Geef een bestand met publieke sleutels")
			case err != nil:
				return fmt.Errorf("dit is geen bestand met publieke sleutels (JSON Web Key Set, P-256, elk met een kid): %w", err)
			}
			clients, err := open(cmd.Context())
			if err != nil {
				return err
			}
			if err := clients.Add(cmd.Context(), args[0], keys, scopes); err != nil {
				return clientInDutch(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Het programma %s mag nu inloggen en heeft dit recht: %s.\n", args[0], strings.Join(scopes, ", "))
			return nil
		},
	}
	c.Flags().StringVar(&file, "keys", "", "bestand met de publieke sleutels van het programma (JSON Web Key Set)")
	c.Flags().StringSliceVar(&scopes, "scope", nil, "recht, mag vaker: "+strings.Join(machineScopes, ", "))
	for _, name := range []string{"keys", "scope"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined just above
		}
	}
	return c
}

func listClients(open func(context.Context) (Clients, error)) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Toon alle programma's", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			clients, err := open(cmd.Context())
			if err != nil {
				return err
			}
			all, err := clients.List(cmd.Context())
			if err != nil {
				return err
			}
			if len(all) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "Er zijn nog geen programma's. Voeg er een toe met: zijlicht client add")
				return nil
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "PROGRAMMA\tRECHTEN\tSTAND")
			for _, c := range all {
				state := "mag inloggen"
				if c.Disabled != nil {
					state = "uitgezet op " + c.Disabled.Local().Format("2-1-2006")
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", c.ID, strings.Join(c.Scopes, ", "), state)
			}
			return w.Flush()
		},
	}
}

func disableClient(open func(context.Context) (Clients, error)) *cobra.Command {
	return &cobra.Command{
		Use: "disable ID", Short: "Zet een programma uit", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clients, err := open(cmd.Context())
			if err != nil {
				return err
			}
			if err := clients.Disable(cmd.Context(), args[0]); err != nil {
				return clientInDutch(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Het programma %s kan niet meer inloggen. Wat het nu nog open heeft, stopt binnen vijf minuten.\n", args[0])
			return nil
		},
	}
}

// clientInDutch says what the person at the keyboard can do about an error.
func clientInDutch(err error) error {
	switch {
	case errors.Is(err, oauth.ErrUnknownParty):
		return errors.New("er is geen programma met deze naam; zie: zijlicht client list")
	case errors.Is(err, oauth.ErrClientExists):
		return errors.New("er is al een programma met deze naam, of dat was er; kies een andere naam")
	case errors.Is(err, oauth.ErrClientID):
		return errors.New("de naam bestaat uit 1 tot 63 kleine letters, cijfers en streepjes, en begint met een letter of cijfer")
	}
	return err
}
