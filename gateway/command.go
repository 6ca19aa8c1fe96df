package gateway

import (
	"context"
	"errors"
	"io/fs"

	"github.com/go-jose/go-jose/v4"
	"github.com/spf13/cobra"

	"github.com/zijlicht/zijlicht/gateway/internal/account"
	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
)

// Accounts of the people of a node.
type Accounts = account.Store

// Invitation of a person.
type Invitation = account.Invitation

// AccountCommand is `zijlicht account`: invite, list, link, close.
func AccountCommand(open func(ctx context.Context) (accounts *Accounts, entityURL string, err error)) *cobra.Command {
	return account.Command(open)
}

// EnsureKey gives the public half of the node's OAuth key, after making the key
// when there is no such file. The anchor puts it into the member document.
func EnsureKey(path string) (jose.JSONWebKeySet, error) {
	key, err := oauth.LoadSigningKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if key, err = oauth.NewSigningKey(); err == nil {
			err = key.Save(path)
		}
	}
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}, nil
}
