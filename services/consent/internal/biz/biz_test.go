package biz

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCodeSurvivesTyping(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")
		code := Code(key, rapid.String().Draw(t, "by"), rapid.String().Draw(t, "request"))
		if len(code) != 21 || strings.Count(code, "-") != 4 {
			t.Fatalf("shape of %q", code)
		}
		want, ok := Normalize(code)
		if !ok {
			t.Fatalf("%q does not check", code)
		}
		typed := strings.NewReplacer("-", " ", "0", "o", "1", "l").Replace(strings.ToLower(code))
		if got, ok := Normalize(typed); !ok || got != want {
			t.Fatalf("typed %q: %q, %v", typed, got, ok)
		}
	})
}

func TestOneWrongOrSwappedCharacterIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		code := []byte(strings.ReplaceAll(Code([]byte("k"), "a", rapid.String().Draw(t, "request")), "-", ""))
		i := rapid.IntRange(0, codeLength-1).Draw(t, "place")
		other := alphabet[rapid.IntRange(0, 31).Draw(t, "character")]
		wrong := append([]byte(nil), code...)
		wrong[i] = other
		if _, ok := Normalize(string(wrong)); ok != (other == code[i]) {
			t.Fatalf("%s for %s: %v", wrong, code, ok)
		}
		if i+1 < codeLength && code[i] != code[i+1] {
			swapped := append([]byte(nil), code...)
			swapped[i], swapped[i+1] = code[i+1], code[i]
			if _, ok := Normalize(string(swapped)); ok {
				t.Fatalf("swapped %s for %s", swapped, code)
			}
		}
	})
}

func FuzzNormalize(f *testing.F) {
	f.Add("7Q2M-K3XA-0BCD-9WYZ-4")
	f.Add("ﬀ-\x00")
	f.Fuzz(func(t *testing.T, typed string) {
		normal, ok := Normalize(typed)
		if ok && len(normal) != codeLength {
			t.Fatalf("%q", normal)
		}
	})
}

func TestPeriod(t *testing.T) {
	t.Parallel()
	given := time.Date(2026, 8, 31, 12, 0, 0, 0, time.UTC)
	week := 7 * 24 * time.Hour
	for name, c := range map[string]struct {
		until time.Time
		ok    bool
	}{
		"default":                 {time.Time{}, true},
		"inside the thinking":     {given.Add(week), false},
		"just after the thinking": {given.Add(week + time.Second), true},
		"twelve months":           {given.AddDate(1, 0, 0), true},
		"more than twelve months": {given.AddDate(1, 0, 1), false},
		"in the past":             {given.Add(-time.Hour), false},
	} {
		from, until, err := Period(given, week, c.until)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (!from.Equal(given.Add(week)) || !until.After(from)) {
			t.Errorf("%s: %v to %v", name, from, until)
		}
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	hour := time.Hour
	for want, got := range map[string]string{
		"waiting": State(now, now.Add(hour), now.Add(2*hour), time.Time{}, false),
		"shared":  State(now, now, now.Add(hour), time.Time{}, false),
		"ended":   State(now, now.Add(-hour), now, time.Time{}, false),
		"stopped": State(now, now.Add(-hour), now.Add(hour), now.Add(-time.Minute), false),
	} {
		if got != want {
			t.Errorf("want %s, got %s", want, got)
		}
	}
}
