package biz

import (
	"strings"
	"testing"
)

func TestPresentable(t *testing.T) {
	t.Parallel()
	plain := "Zij vroeg zelf om hulp 🌱 — שלום"
	if !Presentable(true, "wonen", "titel", plain, "") {
		t.Error("an ordinary answer is refused")
	}
	for name, ok := range map[string]bool{
		"another circle":    Presentable(false, "", "titel", plain),
		"a NUL":             Presentable(true, "", "titel", "a\x00b"),
		"a reading order":   Presentable(true, "", "ti\u202etel", plain),
		"an isolate":        Presentable(true, "wo\u2066nen", "titel", plain),
		"no UTF-8":          Presentable(true, "", "titel", "a\xff"),
		"too large a title": Presentable(true, "", strings.Repeat("a", maxTitle+1), plain),
		"too large a text":  Presentable(true, "", "titel", strings.Repeat("a", maxText+1)),
	} {
		if ok {
			t.Errorf("%s passes", name)
		}
	}
}
