package deid_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/zijlicht/zijlicht/services/deid"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"deid": func() {
			root := &cobra.Command{Use: "zijlicht", SilenceUsage: true}
			root.AddCommand(deid.Command())
			root.SetArgs(append([]string{"deid"}, os.Args[1:]...))
			if err := root.Execute(); err != nil {
				os.Exit(1)
			}
		},
	})
}

func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}
