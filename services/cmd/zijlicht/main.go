// Command zijlicht runs a node of the federation, or a part of one, and is the
// tool of whoever looks after it.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/zijlicht/zijlicht/gateway"
	"github.com/zijlicht/zijlicht/services/anchor"
	"github.com/zijlicht/zijlicht/services/deid"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

func main() {
	if err := rootCommand().ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "zijlicht:", err)
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use: "zijlicht", Short: "Leren van praktijkverhalen, over de grenzen van organisaties heen",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetUsageTemplate(strings.NewReplacer(
		"Usage:", "Gebruik:", "Aliases:", "Ook:", "Examples:", "Voorbeelden:", "Available Commands:", "Opdrachten:",
		"Global Flags:", "Opties die hier ook werken:", "Flags:", "Opties:",
		`Use "{{.CommandPath}} [command] --help" for more information about a command.`, "Meer over een opdracht: {{.CommandPath}} [opdracht] --help",
		"[command]", "[opdracht]",
		`(or .IsAvailableCommand (eq .Name "help"))`, ".IsAvailableCommand",
	).Replace(root.UsageTemplate()))
	var path string
	account := gateway.AccountCommand(func(ctx context.Context) (*gateway.Accounts, string, error) {
		c, err := loadConfig(path)
		if err != nil {
			return nil, "", err
		}
		a, err := openAccounts(ctx, c)
		return a, c.EntityURL, err
	})
	federation := anchor.Command(func(ctx context.Context) (*anchor.Store, error) {
		c, err := loadConfig(path)
		if err != nil {
			return nil, err
		}
		return openAnchor(ctx, c)
	})
	machines := gateway.ClientCommand(func(ctx context.Context) (gateway.Clients, error) {
		c, err := loadConfig(path)
		if err != nil {
			return gateway.Clients{}, err
		}
		n := &node{config: c, ctx: ctx}
		pool, err := n.pool("gateway")
		return gateway.Clients{Pool: pool, Now: time.Now}, err
	})
	for _, c := range []*cobra.Command{account, federation, machines} {
		c.PersistentFlags().StringVar(&path, "config", "zijlicht.yaml", "instellingen van het knooppunt")
	}
	root.AddCommand(serveCommand(), migrateCommand(), initCommand(), account, federation, machines, deid.Command(), demoCommand())
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		c.Hidden = c.Name() == "help" // it works, and --help says the same
	}
	return root
}

// initCommand makes the secrets of a node.
func initCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use: "init", Short: "Maak de sleutels van een knooppunt die er nog niet zijn", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(path)
			if err != nil {
				return err
			}
			if err := initSecrets(c); err != nil {
				return err
			}
			cmd.Printf("De sleutels staan in %s. Bewaar die map apart van de database.\n", c.path(c.Secrets))
			return nil
		},
	}
	c.Flags().StringVar(&path, "config", "zijlicht.yaml", "instellingen van het knooppunt")
	return c
}

// migrateCommand brings the database to this program's version.
func migrateCommand() *cobra.Command {
	var path, admin string
	c := &cobra.Command{
		Use: "migrate", Short: "Breng de database naar de versie van dit programma", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(path)
			if err != nil {
				return err
			}
			address := c.Database
			if admin != "" {
				if address, err = readPrivate(admin); err != nil {
					return err
				}
			}
			if err := migrate(cmd.Context(), c, address); err != nil {
				return err
			}
			cmd.Println("De database is bij.")
			return nil
		},
	}
	c.Flags().StringVar(&path, "config", "zijlicht.yaml", "instellingen van het knooppunt")
	c.Flags().StringVar(&admin, "admin", "", "bestand met het adres van de database voor haar beheerder, wachtwoord inbegrepen")
	return c
}

// migrate works as the administrator of the database, whose address is admin.
func migrate(ctx context.Context, c config, admin string) error {
	p, err := passwords(c)
	if err != nil {
		return err
	}
	return pgdb.Migrate(ctx, admin, c.Node, schemas(), p)
}

// openAccounts logs in as the gateway does. The pool lives as long as the process.
func openAccounts(ctx context.Context, c config) (*gateway.Accounts, error) {
	n := &node{config: c, ctx: ctx}
	pool, err := n.pool("gateway")
	if err != nil {
		return nil, err
	}
	master, err := keys.Load(c.secret(masterFile))
	if err != nil {
		return nil, err
	}
	return &gateway.Accounts{Pool: pool, Keys: master, Now: time.Now}, nil
}

// openAnchor logs in as the anchor does.
func openAnchor(ctx context.Context, c config) (*anchor.Store, error) {
	n := &node{config: c, ctx: ctx}
	pool, err := n.pool("anchor")
	if err != nil {
		return nil, err
	}
	return anchor.NewStore(pool, c.EntityURL, time.Now)
}
