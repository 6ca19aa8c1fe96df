package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
)

// A made-up story of the usual length.
const story = `Mevrouw Hanneke Dijkhuis (71) belde zelf. Haar man Gerrit is vorig jaar gevallen en zij doet alles alleen, ` +
	`op de Vossenlaan 12 in Ommen. Haar telefoon is 06-12345678. Zij zegt dat het wel gaat, maar ze slaapt slecht. ` +
	`Ik ben twee keer langsgegaan zonder iets te regelen. De derde keer vroeg zij zelf om hulp bij het wassen. ` +
	`Haar dochter Marloes vond dat ik eerder had moeten ingrijpen en belde daarover met mijn leidinggevende. ` +
	`Ik heb toen met alle drie aan tafel gezeten. Gerrit zei weinig, maar hij hield haar hand vast. ` +
	`Sindsdien komt er twee keer in de week iemand, en op donderdag gaat mevrouw Dijkhuis weer naar het koor.`

// shared is a story that both nodes can read, and who reads it.
type shared struct {
	id, publicID, notice string
	author               *client
	readers              []*client // each not yet known at the owner's node
	floor, hop           *client
}

func (s *shared) ownPath() string   { return "/api/v1/cases/" + s.id }
func (s *shared) crossPath() string { return "/api/v1/notices/" + s.notice + "/case" }
func (s *shared) floorPath() string { return "/own/" + s.id }
func (s *shared) hopPath() string   { return "/shared/" + s.publicID + "/" + s.notice }

// tell puts one story through to the circle over REST, and invites readers at the other node.
func (w *world) tell(ctx context.Context, readers int) (*shared, error) {
	author, err := w.invite(ctx, w.owner, "Aagje Molenwiek", "team-oost", "professional", "reviewer")
	if err != nil {
		return nil, err
	}
	second, err := w.invite(ctx, w.owner, "Wobbe Klaversma", "team-oost", "professional")
	if err != nil {
		return nil, err
	}
	c, err := publish(ctx, author, second)
	if err != nil {
		return nil, err
	}
	s := &shared{
		id: c.GetId(), publicID: c.GetPublicId(), author: author,
		floor: newClient(w.floorURL), hop: newClient(w.hopURL),
	}
	for i := range max(readers, many) + 1 {
		r, err := w.invite(ctx, w.reader, fmt.Sprintf("Lezer %d", i+1), "team-zuid", "professional", "reviewer")
		if err != nil {
			return nil, err
		}
		s.readers = append(s.readers, r)
	}
	s.notice, err = noticed(ctx, s.readers[0], s.publicID)
	return s, err
}

func publish(ctx context.Context, author, second *client) (*casesv1.Case, error) {
	c := &casesv1.Case{}
	if err := author.api(ctx, http.MethodPost, "/cases", &casesv1.CreateCaseRequest{
		RequestId: uuid.NewString(), WhatHappened: story, Question: "Had ik eerder iets moeten regelen?",
		Title: "Zij zei dat het wel ging", Theme: "mantelzorg",
	}, c); err != nil {
		return nil, err
	}
	path := "/cases/" + c.GetId()
	for _, step := range []struct {
		who  *client
		path string
		in   func() proto.Message
		out  proto.Message
	}{
		{author, "/proposals", func() proto.Message { return &casesv1.ProposeReplacementsRequest{Revision: c.GetRevision()} }, c},
		{author, "/choices", func() proto.Message {
			return &casesv1.ResolveProposalsRequest{Revision: c.GetRevision(), AcceptOpen: true}
		}, c},
		{author, "/grants", func() proto.Message {
			return &consentv1.RegisterGrantRequest{
				RequestId: uuid.NewString(), Revision: c.GetRevision(), Circle: circle, Manner: "on-paper",
			}
		}, nil},
		{author, "/invitations", func() proto.Message {
			return &casesv1.InviteReaderRequest{Colleague: second.id, SecondReader: true}
		}, c},
		{second, "/release", func() proto.Message { return &casesv1.ReleaseCaseRequest{Revision: c.GetRevision()} }, nil},
		{author, "/publication", func() proto.Message {
			return &casesv1.PublishCaseRequest{Revision: c.GetRevision(), Circle: circle}
		}, c},
	} {
		if err := step.who.api(ctx, http.MethodPost, path+step.path, step.in(), step.out); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// noticed waits for the notice at the reader's node.
func noticed(ctx context.Context, reader *client, publicID string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var res reviewv1.ListNoticesResponse
		if err := reader.api(ctx, http.MethodGet, "/notices", nil, &res); err != nil {
			return "", err
		}
		for _, n := range res.GetNotices() {
			if n.GetCasePublicId() == publicID {
				return n.GetId(), nil
			}
		}
		select {
		case <-ctx.Done():
			return "", errors.New("the notice does not arrive")
		case <-tick.C:
		}
	}
}

// same checks that the floor gives the very answer that the nodes give: a floor that
// did less work would flatter nobody. It uses up one reader.
func (s *shared) same(ctx context.Context) (size int, err error) {
	var reader *client
	reader, s.readers = s.readers[0], s.readers[1:]
	for _, p := range []struct {
		product, floor  *client
		path, floorPath string
		got, want       proto.Message
	}{
		{s.author, s.floor, s.ownPath(), s.floorPath(), &casesv1.Case{}, &casesv1.Case{}},
		{reader, s.hop, s.crossPath(), s.hopPath(), &reviewv1.SharedCase{}, &reviewv1.SharedCase{}},
	} {
		a, err := p.product.do(ctx, http.MethodGet, p.path, nil)
		if err != nil {
			return 0, err
		}
		b, err := p.floor.do(ctx, http.MethodGet, p.floorPath, nil)
		if err != nil {
			return 0, err
		}
		if err := errors.Join(protojson.Unmarshal(a, p.got), protojson.Unmarshal(b, p.want)); err != nil {
			return 0, err
		}
		if !proto.Equal(p.got, p.want) {
			return 0, fmt.Errorf("the floor's answer is not that of the node: %s and %s", b, a)
		}
		size = max(size, len(a))
	}
	return size, nil
}
