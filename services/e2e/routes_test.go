package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/zijlicht/zijlicht/proto/zijlicht/access/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
)

// rpc is one method of the contracts, as REST would have it.
type rpc struct {
	name         protoreflect.FullName
	service      protoreflect.Name
	class        accessv1.Class
	method, path string // empty without a route
}

var inPath = regexp.MustCompile(`\{[^}]+\}`)

func allRPCs() (all []rpc) {
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), "zijlicht.") {
			return true
		}
		for i := range file.Services().Len() {
			s := file.Services().Get(i)
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				r := rpc{name: m.FullName(), service: s.Name()}
				r.class = proto.GetExtension(m.Options(), accessv1.E_Access).(*accessv1.Access).GetClass()
				if proto.HasExtension(m.Options(), annotations.E_Http) {
					rule := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
					for method, path := range map[string]string{
						"GET": rule.GetGet(), "POST": rule.GetPost(), "PUT": rule.GetPut(), "DELETE": rule.GetDelete(), "PATCH": rule.GetPatch(),
					} {
						if path != "" {
							r.method, r.path = method, inPath.ReplaceAllString(path, uuid.NewString())
						}
					}
				}
				all = append(all, r)
			}
		}
		return true
	})
	return all
}

// What a node's parts ask each other has no way in from outside, and what people ask has none without signing in.
func TestOnlyWhatIsMeantForPeopleHasARoute(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{members: 1})
	n := f.members[0]
	everyone := f.invite(n, "Aagje Molenwiek", "team-oost",
		"professional", "reviewer", "privacy-officer", "operator", "federation-administrator")
	nobody := f.nobody(n)
	rpcs := allRPCs()
	if len(rpcs) < 40 {
		t.Fatalf("only %d methods were found", len(rpcs))
	}
	ask := func(p *person, method, path string) int {
		t.Helper()
		status, _, _, err := p.send(method, path, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	for _, r := range rpcs {
		// No service is reached by its own name, over HTTP/1.1, whatever the sort of method.
		service, method := r.name.Parent(), string(r.name.Name())
		for _, path := range []string{"/", "/api/v1/", "/federation/v1/"} {
			status := ask(everyone, http.MethodPost, path+string(service)+"/"+method)
			if status != http.StatusNotFound && !(path == "/federation/v1/" && status == http.StatusUnauthorized) {
				t.Errorf("%s answers %d under %s", r.name, status, path)
			}
		}
		switch {
		case r.service == "PeerService":
			if r.class != accessv1.Class_CLASS_INTERNAL || r.path == "" {
				t.Errorf("%s is %s at %q", r.name, r.class, r.path)
			}
			for _, p := range []*person{everyone, nobody} {
				if status := ask(p, r.method, "/federation/v1"+r.path); status != http.StatusUnauthorized {
					t.Errorf("%s answers %d to someone who is no node", r.name, status)
				}
			}
		case r.class == accessv1.Class_CLASS_INTERNAL:
			if r.path != "" {
				t.Errorf("%s is for the node's own parts and has the route %s", r.name, r.path)
			}
		case r.path != "" && r.class == accessv1.Class_CLASS_RESOURCE && !strings.HasPrefix(r.path, "/receipts/"):
			if status := ask(nobody, r.method, "/api/v1"+r.path); status != http.StatusUnauthorized {
				t.Errorf("%s answers %d to nobody", r.name, status)
			}
		}
	}
}

// What is not well formed is refused, says which field, stores nothing and is not repeated in the answer.
func TestBadInputIsRefusedAndStoresNothing(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{members: 1})
	author := f.invite(f.members[0], "Aagje Molenwiek", "team-oost", "professional")
	f.hide("what was refused", canaryStory)
	id := uuid.NewString()
	text := func(bytes int) string { return strings.Repeat(canaryStory+" ", bytes/len(canaryStory+" ")+1)[:bytes] }
	body := func(fields map[string]any) []byte {
		raw, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	good := func(more map[string]any) []byte {
		fields := map[string]any{"requestId": uuid.NewString(), "whatHappened": canaryStory}
		for k, v := range more {
			fields[k] = v
		}
		return body(fields)
	}
	for name, c := range map[string]struct {
		body   []byte
		status int
	}{
		"no JSON":               {[]byte(`{"whatHappened": "` + canaryStory), http.StatusBadRequest},
		"an empty body":         {[]byte{}, http.StatusBadRequest},
		"two values":            {append(good(nil), []byte(`{}`)...), http.StatusBadRequest},
		"a list":                {[]byte(`["` + canaryStory + `"]`), http.StatusBadRequest},
		"an unknown field":      {good(map[string]any{"author": canaryStory}), http.StatusBadRequest},
		"a number for a text":   {good(map[string]any{"title": 12}), http.StatusBadRequest},
		"an object for a text":  {good(map[string]any{"title": map[string]any{"a": canaryStory}}), http.StatusBadRequest},
		"no text at all":        {good(map[string]any{"whatHappened": ""}), http.StatusBadRequest},
		"a field left out":      {body(map[string]any{"whatHappened": canaryStory}), http.StatusBadRequest},
		"an id that is none":    {good(map[string]any{"requestId": canaryStory}), http.StatusBadRequest},
		"a title too long":      {good(map[string]any{"title": text(1000)}), http.StatusBadRequest},
		"a zero byte":           {good(map[string]any{"question": canaryStory + "\x00"}), http.StatusBadRequest},
		"invalid UTF-8":         {[]byte(`{"requestId":"` + id + `","whatHappened":"` + canaryStory + "\xff\xfe" + `"}`), http.StatusBadRequest},
		"half a character pair": {[]byte(`{"requestId":"` + id + `","whatHappened":"` + canaryStory + `\ud800"}`), http.StatusBadRequest},
		"a text over 256 KiB":   {good(map[string]any{"whatHappened": text(256<<10 + 1)}), http.StatusRequestEntityTooLarge},
		"a body over 1 MiB":     {good(map[string]any{"whatHappened": text(1<<20 + 1)}), http.StatusRequestEntityTooLarge},
		"a body of many layers": {[]byte(strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000)), http.StatusBadRequest},
	} {
		status, header, answer, err := author.send(http.MethodPost, "/api/v1/cases", c.body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if status != c.status || header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s: %s", name, status, header.Get("Content-Type"), answer)
		}
		if bytes.Contains(answer, []byte(canaryStory)) {
			t.Errorf("%s: the answer repeats what was sent", name)
		}
	}
	for _, path := range []string{"/cases/geen-id", "/cases/" + strings.Repeat("a", 4000), "/cases?pageSize=101", "/cases?pageSize=veel",
		"/cases?pageToken=" + canaryStory, "/cases?onbekend=" + canaryStory, "/cases/%ff"} {
		if status, _, answer, err := author.send(http.MethodGet, "/api/v1"+path, nil); err != nil || status != http.StatusBadRequest && status != http.StatusNotFound ||
			bytes.Contains(answer, []byte(canaryStory)) {
			t.Errorf("GET %.60s: %d %s (%v)", path, status, answer, err)
		}
	}
	// Exactly as much as fits does fit, and is all that is there.
	status, _, answer, err := author.send(http.MethodPost, "/api/v1/cases", good(map[string]any{"whatHappened": text(256 << 10)}))
	if err != nil || status != http.StatusOK {
		t.Errorf("a text of 256 KiB: %d %.200s (%v)", status, answer, err)
	}
	var cases int
	if err := f.members[0].admin(t).QueryRow(t.Context(), "select count(*) from cases.practice_case").Scan(&cases); err != nil || cases != 1 {
		t.Errorf("%d cases are stored (%v)", cases, err)
	}
}

// A page of another site cannot act for who is signed in, and a link works once.
func TestAnotherSiteCannotAct(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{members: 1})
	n := f.members[0]
	author := f.invite(n, "Aagje Molenwiek", "team-oost", "professional")
	for name, change := range map[string]func(http.Header){
		"no origin":         func(h http.Header) { h.Del("Origin") },
		"another origin":    func(h http.Header) { h.Set("Origin", "http://elders.example") },
		"what browsers say": func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
		"the same site":     func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.url+"/api/v1/cases", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", n.url)
		change(req.Header)
		for _, c := range author.cookies {
			req.AddCookie(c)
		}
		res, err := author.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	for _, c := range author.cookies {
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
			t.Errorf("the cookie %s can be read by a page, or travels from another site", c.Name)
		}
	}
	author.must(http.MethodDelete, "/sessions/current", nil, nil)
	signedOut := *author
	signedOut.cookies = author.cookies[:1]
	signedOut.refused(http.StatusUnauthorized, "unauthenticated", http.MethodGet, "/sessions/current", nil)
	f.nobody(n).refused(http.StatusUnauthorized, "unauthenticated", http.MethodPost, "/sessions", &gatewayv1.CreateSessionRequest{Secret: "geraden"})
}
