package account_test

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/zijlicht/zijlicht/gateway/internal/account"
)

// command runs `account ARGS` as a person types it.
func (b bundle) command(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	c := account.Command(func(context.Context) (*account.Store, string, error) {
		return b.Store, "http://127.0.0.1:8410", nil
	})
	var out bytes.Buffer
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	c.SilenceErrors = true
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

var linkText = regexp.MustCompile(`http://127\.0\.0\.1:8410/sign-in#([A-Za-z0-9_-]{43})\n`)

func TestCommandLine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	out, err := b.command(t, "", "list")
	if err != nil || !strings.Contains(out, "nog geen accounts") {
		t.Fatalf("%v: %s", err, out)
	}
	out, err = b.command(t, "", "invite", "--name", "Anna de Vries", "--unit", "team noord", "--role", "professional", "--role", "reviewer")
	if err != nil {
		t.Fatal(err)
	}
	first := linkText.FindStringSubmatch(out)
	if first == nil || !strings.Contains(out, "Anna de Vries is gemaakt (team noord; professional, reviewer)") || !strings.Contains(out, "werkt één keer, tot en met") {
		t.Fatalf("invite printed: %s", out)
	}
	session, cookie, err := b.Redeem(t.Context(), first[1])
	if err != nil {
		t.Fatal(err)
	}
	id := session.AccountID
	if out, err = b.command(t, "", "list"); err != nil || !strings.Contains(out, id) || !strings.Contains(out, "Anna de Vries  team noord  professional, reviewer  open") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err = b.command(t, "", "link", id, "--valid-for", "1h"); err != nil {
		t.Fatal(err)
	}
	if second := linkText.FindStringSubmatch(out); second == nil || second[1] == first[1] {
		t.Errorf("link printed: %s", out)
	}

	for _, answer := range []string{"", "\n", "nee\n", "j\n"} {
		if out, err = b.command(t, answer, "close", id); err == nil || !strings.Contains(out, "Typ ja") {
			t.Errorf("answer %q: %v: %s", answer, err, out)
		}
	}
	if _, err := b.Lookup(t.Context(), cookie); err != nil {
		t.Errorf("closed without a yes: %v", err)
	}
	if out, err = b.command(t, "ja\n", "close", id); err != nil || !strings.Contains(out, "is gesloten") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err = b.command(t, "", "close", id, "--yes"); err != nil || !strings.Contains(out, "was al gesloten") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err = b.command(t, "", "list"); err != nil || !strings.Contains(out, "gesloten op 2-3-2026") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestCommandLineRefusesInDutch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"an unknown role":    {[]string{"invite", "--name", "A", "--unit", "n", "--role", "baas"}, "kies één of meer rollen"},
		"an empty name":      {[]string{"invite", "--name", "", "--unit", "n", "--role", "reviewer"}, "de naam moet"},
		"an empty unit":      {[]string{"invite", "--name", "A", "--unit", "", "--role", "reviewer"}, "van het team moet"},
		"valid for too long": {[]string{"invite", "--name", "A", "--unit", "n", "--role", "reviewer", "--valid-for", "721h"}, "ten hoogste 720h"},
		"link for nobody":    {[]string{"link", "0199d3a0-0000-7000-8000-000000000001"}, "geen open account"},
		"close nobody":       {[]string{"close", "x", "--yes"}, "geen open account"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := b.command(t, "", tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) || out != "" {
				t.Errorf("got %v (%q), want %s", err, out, tc.want)
			}
		})
	}
}
