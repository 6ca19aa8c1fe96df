package telemetry_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

func TestALibraryLogsNoErrorTexts(t *testing.T) {
	t.Parallel()
	const canary = "user=zl_noord_cases"
	var out bytes.Buffer
	log := telemetry.Library(telemetry.Logger(&out, "noord"), "outbox")
	log.Info("producer counts", "num", 1)
	log.With("err", errors.New(canary)).WithGroup("g").Error("could not fetch", "queue", "default", "err", errors.New(canary), slog.Group("x", "y", canary))
	got := out.String()
	if strings.Contains(got, canary) || strings.Contains(got, "producer counts") {
		t.Fatal(got)
	}
	if !strings.Contains(got, `"msg":"could not fetch"`) || !strings.Contains(got, `"queue":"default"`) || !strings.Contains(got, `"part":"outbox"`) {
		t.Fatal(got)
	}
}
