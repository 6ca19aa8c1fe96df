package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// floorCommand makes this program the floor: it answers the reads that are measured
// from the same rows, for whoever asks, without caller, policy or record.
const floorCommand = "floor"

type floorConfig struct {
	Listen, Database, MasterKey, Node string
	// Upstream makes it the reader's side: one plain request to the floor there.
	Upstream string
}

type floor struct {
	floorConfig
	pool *pgxpool.Pool
	keys *keys.Master
	http *http.Client
}

// serveFloor runs until it is killed.
func serveFloor(in io.Reader) error {
	f := &floor{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: many}}}
	if err := json.NewDecoder(in).Decode(&f.floorConfig); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	if f.Upstream != "" {
		mux.Handle("GET /shared/{public}/{notice}", answer(f.hop))
	} else {
		var err error
		if f.pool, err = pgdb.Open(context.Background(), f.Database, pgdb.Options{ApplicationName: "bench/floor"}); err != nil {
			return err
		}
		if f.keys, err = keys.Load(f.MasterKey); err != nil {
			return err
		}
		mux.Handle("GET /own/{id}", answer(f.own))
		mux.Handle("GET /shared/{public}", answer(f.shared))
	}
	return (&http.Server{Addr: f.Listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe()
}

func answer[M proto.Message](read func(*http.Request) (M, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, err := read(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		raw, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(m)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(raw)
	})
}

// caseRow is what an answer needs of a case's row.
type caseRow struct {
	ID, PublicID, Unit, Author, Status, ClosedReason, Audience, Circle string
	SecondReader, ReleasedBy                                           string
	Revision, BasisRevision                                            int32
	CreateTime, UpdateTime                                             time.Time
}

func (f *floor) find(ctx context.Context, column, id string) (caseRow, error) {
	rows, err := f.pool.Query(ctx, `
		select c.id::text, c.public_id, c.unit, c.author, c.status, c.closed_reason, c.audience, c.circle, c.second_reader,
		       c.released_by, c.revision, c.basis_revision, c.create_time, c.update_time
		from cases.practice_case as c where c.`+column+` = $1`, id)
	if err != nil {
		return caseRow{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[caseRow])
}

type sealedHead struct {
	Title string `json:"title"`
	Theme string `json:"theme"`
}

type sealedBody struct {
	WhatHappened string `json:"what_happened"`
	Question     string `json:"question"`
	Risk         struct {
		Level    uint32
		Sentence string
		Factors  []string
	} `json:"risk"`
}

type sealedProposal struct {
	Field                                        int
	Start, End                                   uint32
	Type, Text, Entity, Replacement, Why, Choice string
	Confidence                                   float64
}

var fieldNames = []string{"what-happened", "question", "title", "theme"}

// texts of a case's revision, opened.
type texts struct {
	head, originalHead sealedHead
	body, original     sealedBody
	proposals          []sealedProposal
}

func (f *floor) texts(ctx context.Context, c caseRow, original bool) (t texts, err error) {
	var wrapped, rh, rb, oh, ob, p []byte
	if err := f.pool.QueryRow(ctx, `
		select k.wrapped, r.head, r.body, o.head, o.body, p.sealed
		from cases.case_key as k
		left join cases.rendition as r on r.case_id = k.case_id and r.revision = $2 and r.level = 'circle'
		left join cases.revision as o on o.case_id = k.case_id and o.revision = $2 and $3
		left join cases.proposals as p on p.case_id = k.case_id and p.revision = $2 and $3
		where k.case_id = $1`, c.ID, c.Revision, original).Scan(&wrapped, &rh, &rb, &oh, &ob, &p); err != nil {
		return t, err
	}
	key, err := f.keys.Unwrap(wrapped)
	if err != nil {
		return t, err
	}
	for _, part := range []struct {
		sealed []byte
		name   string
		into   any
	}{
		{rh, "rendition circle head", &t.head}, {rb, "rendition circle body", &t.body},
		{oh, "original head", &t.originalHead}, {ob, "original body", &t.original}, {p, "proposals", &t.proposals},
	} {
		if part.sealed == nil {
			continue
		}
		plain, err := key.Open(part.sealed, fmt.Appendf(nil, "case %s revision %d %s", c.ID, c.Revision, part.name))
		if err != nil {
			return t, err
		}
		if err := json.Unmarshal(plain, part.into); err != nil {
			return t, err
		}
	}
	return t, nil
}

// own is what the author reads.
func (f *floor) own(r *http.Request) (*casesv1.Case, error) {
	c, err := f.find(r.Context(), "id", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	t, err := f.texts(r.Context(), c, true)
	if err != nil {
		return nil, err
	}
	m := &casesv1.Case{
		Id: c.ID, PublicId: c.PublicID, Status: c.Status, Revision: uint32(c.Revision), BasisRevision: uint32(c.BasisRevision),
		Author: c.Author, Unit: c.Unit, Audience: c.Audience, Circle: c.Circle, SecondReader: c.SecondReader,
		ReleasedBy: c.ReleasedBy, ClosedReason: c.ClosedReason, CreateTime: timestamppb.New(c.CreateTime),
		UpdateTime: timestamppb.New(c.UpdateTime), Title: t.originalHead.Title, Theme: t.originalHead.Theme,
		WhatHappened: t.original.WhatHappened, Question: t.original.Question,
		Rendition: &casesv1.Rendition{
			WhatHappened: t.body.WhatHappened, Question: t.body.Question, Title: t.head.Title,
			Risk: &deidv1.Risk{Level: t.body.Risk.Level, Sentence: t.body.Risk.Sentence, Factors: t.body.Risk.Factors},
		},
	}
	for i, p := range t.proposals {
		m.Proposals = append(m.Proposals, &casesv1.Proposal{
			Id: uint32(i + 1), Field: fieldNames[p.Field], Choice: p.Choice,
			Span: &deidv1.Span{
				Start: p.Start, End: p.End, Type: p.Type, Text: p.Text, Entity: p.Entity, Confidence: p.Confidence,
				Proposal: p.Replacement, Why: p.Why,
			},
		})
	}
	return m, nil
}

// shared is what the owner's side answers another node.
func (f *floor) shared(r *http.Request) (*casesv1.SharedCase, error) {
	c, err := f.find(r.Context(), "public_id", r.PathValue("public"))
	if err != nil {
		return nil, err
	}
	t, err := f.texts(r.Context(), c, false)
	if err != nil {
		return nil, err
	}
	return &casesv1.SharedCase{
		PublicId: c.PublicID, Owner: f.Node, Circle: c.Circle, Revision: uint32(c.Revision), Title: t.head.Title, Theme: t.head.Theme,
		WhatHappened: t.body.WhatHappened, Question: t.body.Question,
	}, nil
}

// hop is the reader's side.
func (f *floor) hop(r *http.Request) (*reviewv1.SharedCase, error) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, f.Upstream+"/shared/"+r.PathValue("public"), nil)
	if err != nil {
		return nil, err
	}
	res, err := f.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the owner's floor: %d", res.StatusCode)
	}
	var c casesv1.SharedCase
	if err := protojson.Unmarshal(raw, &c); err != nil {
		return nil, err
	}
	return &reviewv1.SharedCase{
		NoticeId: r.PathValue("notice"), Owner: c.GetOwner(), Circle: c.GetCircle(), Theme: c.GetTheme(), Revision: c.GetRevision(),
		Title: c.GetTitle(), WhatHappened: c.GetWhatHappened(), Question: c.GetQuestion(),
	}, nil
}
