package e2e_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
)

// decisions of one trace or about one resource, as the privacy officer finds them, newest first.
func decisions(fg *person, filter url.Values) []*auditv1.Decision {
	fg.f.t.Helper()
	filter.Set("pageSize", "100")
	var all []*auditv1.Decision
	for {
		var page auditv1.ListDecisionsResponse
		fg.must(http.MethodGet, "/decisions?"+filter.Encode(), nil, &page)
		all = append(all, page.GetDecisions()...)
		if page.GetNextPageToken() == "" {
			return all
		}
		filter.Set("pageToken", page.GetNextPageToken())
	}
}

func ofTrace(fg *person, trace string) []*auditv1.Decision {
	return decisions(fg, url.Values{"traceId": {trace}})
}

// decided fails unless each of the actions was decided in this way, by its service.
func decided(t testing.TB, what string, found []*auditv1.Decision, allowed bool, actions ...string) {
	t.Helper()
	for _, action := range actions {
		i := slices.IndexFunc(found, func(d *auditv1.Decision) bool { return d.GetAction() == action && d.GetAllowed() == allowed })
		if i < 0 {
			var have []string
			for _, d := range found {
				have = append(have, d.GetAction())
			}
			t.Errorf("%s: no decision %q (allowed %t) among %v", what, action, allowed, have)
			continue
		}
		if d := found[i]; len(d.GetPolicyRevision()) < 32 || d.GetService() == "" || d.GetDecideTime() == nil || allowed == (len(d.GetReasons()) > 0) {
			t.Errorf("%s: the decision %q is not complete: %v", what, action, d)
		}
	}
}

// traced sends what do sends under one trace, and gives its id.
func (p *person) traced(do func()) string {
	p.trace = newTrace()
	defer func() { p.trace = "" }()
	do()
	return p.trace
}
