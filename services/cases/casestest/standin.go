package casestest

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// Deid stands in for the deid service: it knows a few names and nothing else.
type Deid struct {
	deidv1.UnimplementedDeidServiceServer
	// Level is the risk of a text without a name in it.
	Level atomic.Uint32
	// Down makes it fail.
	Down atomic.Bool
}

// Names that Deid knows.
var Names = []string{"Fatima", "Jan", "Mirjam"}

// Inspect finds the names, and the words of the deny list.
func (d *Deid) Inspect(_ context.Context, req *deidv1.InspectRequest) (*deidv1.InspectResponse, error) {
	if d.Down.Load() {
		return nil, fault.Unavailable(context.DeadlineExceeded)
	}
	labels := map[string]string{}
	res := &deidv1.InspectResponse{}
	for _, text := range req.GetTexts() {
		one := &deidv1.Inspected{}
		for _, w := range words(text) {
			if !listed(w.text, append(Names, req.GetDeny()...)) || listed(w.text, req.GetAllow()) {
				continue
			}
			if labels[w.text] == "" {
				labels[w.text] = "[persoon " + string(rune('A'+len(labels))) + "]"
			}
			one.Spans = append(one.Spans, &deidv1.Span{
				Start: uint32(w.start), End: uint32(w.end), Type: "PERSON", Text: w.text, Entity: w.text, Confidence: 1,
				Proposal: labels[w.text], Why: "staat op de lijst",
			})
		}
		res.Texts = append(res.Texts, one)
	}
	return res, nil
}

// Compare calls it a removal when every text is the earlier one with words dropped or put between brackets.
func (d *Deid) Compare(_ context.Context, req *deidv1.CompareRequest) (*deidv1.CompareResponse, error) {
	if d.Down.Load() {
		return nil, fault.Unavailable(context.DeadlineExceeded)
	}
	risk := &deidv1.Risk{Level: d.Level.Load(), Sentence: "Er staat niets meer in dat naar iemand wijst."}
	removal := len(req.GetEarlier()) == len(req.GetTexts())
	for i, text := range req.GetTexts() {
		for _, w := range words(text) {
			if listed(w.text, Names) {
				risk = &deidv1.Risk{Level: 3, Sentence: "Er staat nog een naam in.", Factors: []string{"een naam"}}
			}
		}
		removal = removal && subsequence(strings.Fields(text), strings.Fields(req.GetEarlier()[i]))
	}
	return &deidv1.CompareResponse{Risk: risk, PureRemoval: removal}, nil
}

func subsequence(short, long []string) bool {
	for _, w := range long {
		if len(short) > 0 && (short[0] == w || strings.HasPrefix(short[0], "[")) {
			short = short[1:]
		}
	}
	return len(short) == 0
}

type foundWord struct {
	start, end int
	text       string
}

func words(text string) (all []foundWord) {
	points := []rune(text + " ")
	start := -1
	for i, r := range points {
		switch {
		case unicode.IsLetter(r) && start < 0:
			start = i
		case !unicode.IsLetter(r) && start >= 0:
			all = append(all, foundWord{start, i, string(points[start:i])})
			start = -1
		}
	}
	return all
}

func listed(word string, list []string) bool {
	for _, l := range list {
		if strings.EqualFold(l, word) {
			return true
		}
	}
	return false
}

// Gateway stands in for the gateway's FederationService: accounts and circles by id.
type Gateway struct {
	gatewayv1.UnimplementedFederationServiceServer
	mu         sync.Mutex
	colleagues map[string]*gatewayv1.Colleague
	circles    map[string]*gatewayv1.Circle
}

// NewGateway knows the people of this package and the circle of servetest.
func NewGateway() *Gateway {
	g := &Gateway{colleagues: map[string]*gatewayv1.Colleague{}, circles: map[string]*gatewayv1.Circle{}}
	for id, unit := range map[string]string{AuthorID: Unit, SecondID: OtherUnit, ColleagueID: Unit, OutsiderID: OtherUnit} {
		g.AddColleague(&gatewayv1.Colleague{Found: true, Id: id, Name: "Collega", Unit: unit, Roles: []string{"professional"}})
	}
	g.AddColleague(&gatewayv1.Colleague{Found: true, Id: OfficerID, Name: "Collega", Roles: []string{"privacy-officer"}})
	g.AddCircle(&gatewayv1.Circle{Found: true, Id: servetest.Circle, Name: "Leerkring Oost", Members: []*gatewayv1.Organisation{
		{Id: servetest.Node, Name: "Wijkteam Noord", Kind: "wijkteam"}, {Id: servetest.Peer, Name: "Wijkteam Zuid", Kind: "wijkteam"},
	}})
	return g
}

// AddColleague makes an account known.
func (g *Gateway) AddColleague(c *gatewayv1.Colleague) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.colleagues[c.GetId()] = c
}

// AddCircle makes a circle known.
func (g *Gateway) AddCircle(c *gatewayv1.Circle) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.circles[c.GetId()] = c
}

// LookUpColleague implements gatewayv1.FederationServiceServer.
func (g *Gateway) LookUpColleague(_ context.Context, req *gatewayv1.LookUpColleagueRequest) (*gatewayv1.Colleague, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.colleagues[req.GetAccountId()]; ok {
		return c, nil
	}
	return &gatewayv1.Colleague{}, nil
}

// GetCircle implements gatewayv1.FederationServiceServer.
func (g *Gateway) GetCircle(_ context.Context, req *gatewayv1.GetCircleRequest) (*gatewayv1.Circle, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.circles[req.GetCircle()]; ok {
		return c, nil
	}
	return &gatewayv1.Circle{}, nil
}
