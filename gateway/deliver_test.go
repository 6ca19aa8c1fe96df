package gateway

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
)

// run works the node's outbox until the test ends.
func (n *node) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	n.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			n.t.Error(err)
		}
	})
}

// enqueue adds a job as a service does, and gives its number.
func (n *node) enqueue(t *testing.T, args river.JobArgs, attempts int) (id int64) {
	t.Helper()
	c, err := river.NewClient(riverpgxv5.New(n.db.Pool("gateway")), &river.Config{Schema: outbox.Name})
	must(t, err)
	must(t, pgx.BeginFunc(t.Context(), n.db.Pool("gateway"), func(tx pgx.Tx) error {
		job, err := c.InsertTx(t.Context(), tx, args, &river.InsertOpts{MaxAttempts: attempts})
		if err == nil {
			id = job.Job.ID
		}
		return err
	}))
	return id
}

type job struct {
	state   string
	attempt int
	errors  string
}

func (n *node) job(t *testing.T, id int64) (j job) {
	t.Helper()
	must(t, n.db.Admin().QueryRow(t.Context(), `select state::text, attempt, coalesce(array_to_string(errors, ' '), '') from outbox.river_job where id = $1`, id).
		Scan(&j.state, &j.attempt, &j.errors))
	return j
}

func (n *node) ends(t *testing.T, id int64, state string) job {
	t.Helper()
	eventually(t, "job is "+state, func() bool { return n.job(t, id).state == state })
	return n.job(t, id)
}

func (n *node) fails(t *testing.T, id int64, reason string) {
	t.Helper()
	eventually(t, "a failure "+reason, func() bool { return strings.Contains(n.job(t, id).errors, `"error": "`+reason+`"`) })
	if s := n.job(t, id).state; s == "cancelled" || s == "discarded" {
		t.Errorf("gave up: %s", s)
	}
}

func newNotice(peer string) outbox.NoticeArgs {
	return outbox.NoticeArgs{MessageID: uuid.NewString(), Peer: peer, NoticeKind: "opened", CasePublicID: "AbcAbcAbcAbcAbcAbcAbcA", Circle: theCircle, Sequence: 3}
}

// received counts how often a message reached a service.
func (s *services) received(id string) (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if m, ok := c.req.(interface{ GetMessageId() string }); ok && m.GetMessageId() == id {
			count++
		}
	}
	return count
}

func (n *node) answers(f func(http.ResponseWriter, *http.Request)) {
	only := func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, federationPath) {
			return false
		}
		f(w, r)
		return true
	}
	n.before.Store(&only)
}

const words = "kanariepiet schreef dit"

// waits puts a message ready to be delivered.
func (n *node) waits(peer string) outbox.MessageArgs {
	id := uuid.NewString()
	n.said.mu.Lock()
	defer n.said.mu.Unlock()
	if n.said.waiting == nil {
		n.said.waiting = map[string]*reviewv1.OutgoingMessage{}
	}
	n.said.waiting[id] = &reviewv1.OutgoingMessage{Peer: peer, Writer: "account-1", Message: &reviewv1.ReceiveMessageRequest{
		MessageId: id, DialogueId: uuid.NewString(), CasePublicId: "AbcAbcAbcAbcAbcAbcAbcA", FromSide: "owner", Kind: "answer", Text: words, Sequence: 1,
	}}
	return outbox.MessageArgs{MessageID: id}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	a := newAnchor(t)
	noord, zuid := startNode(t, a), startNode(t, a)
	noord.peerTime = 2 * time.Second
	noord.refresh()
	noord.run()
	reset := func() { zuid.before.Store(nil); zuid.said.failWith(nil) }

	t.Run("a notice arrives once", func(t *testing.T) {
		args := newNotice(zuid.url)
		noord.ends(t, noord.enqueue(t, args, 200), "completed")
		c := zuid.said.last()
		want := &reviewv1.ReceiveNoticeRequest{MessageId: args.MessageID, Kind: "opened", CasePublicId: "AbcAbcAbcAbcAbcAbcAbcA", Circle: theCircle, Sequence: 3}
		if zuid.said.received(args.MessageID) != 1 || !proto.Equal(c.req.(*reviewv1.ReceiveNoticeRequest), want) {
			t.Errorf("received %v", c.req)
		}
		if c.caller.GetOrganisation() != noord.url || c.caller.GetSubject() != noord.url+"|worker" || strings.Join(c.caller.GetRoles(), " ") != "notifier" {
			t.Errorf("caller %v", c.caller)
		}
	})
	t.Run("a message arrives once", func(t *testing.T) {
		args := noord.waits(zuid.url)
		noord.ends(t, noord.enqueue(t, args, 200), "completed")
		c := zuid.said.last()
		if m := c.req.(*reviewv1.ReceiveMessageRequest); zuid.said.received(args.MessageID) != 1 || m.GetText() != words {
			t.Errorf("received %v", c.req)
		}
		if c.caller.GetSubject() != noord.url+"|"+noord.pairwise(zuid.url, "account-1") || strings.Contains(c.caller.String(), "account-1") {
			t.Errorf("caller %v", c.caller)
		}
		if noord.said.outcome(args.MessageID) != "delivered" {
			t.Error("not marked")
		}
		noord.ends(t, noord.enqueue(t, args, 200), "completed") // a second job for it sends nothing
		if zuid.said.received(args.MessageID) != 1 {
			t.Error("sent twice")
		}
	})
	t.Run("tokens are used again", func(t *testing.T) {
		var asked atomic.Int32
		count := func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/oauth2/token" {
				asked.Add(1)
			}
			return false
		}
		zuid.before.Store(&count)
		defer reset()
		for range 3 {
			noord.ends(t, noord.enqueue(t, newNotice(zuid.url), 200), "completed")
		}
		if asked.Load() != 0 {
			t.Errorf("%d exchanges for a token that was there", asked.Load())
		}
	})

	for name, c := range map[string]struct {
		fail   error
		reason string
	}{
		"a fault there":   {fault.Internal(context.Canceled), "peer-unavailable"},
		"no check there":  {fault.Unavailable(context.Canceled), "peer-unavailable"},
		"suspended there": {fault.Refused("member.suspended"), "member.suspended"},
	} {
		t.Run(name, func(t *testing.T) {
			defer reset()
			notice, message := newNotice(zuid.url), noord.waits(zuid.url)
			zuid.said.failWith(func(proto.Message) error { return c.fail })
			ids := []int64{noord.enqueue(t, notice, 200), noord.enqueue(t, message, 200)}
			for _, id := range ids {
				noord.fails(t, id, c.reason)
			}
			zuid.said.failWith(nil)
			for _, id := range ids {
				if j := noord.ends(t, id, "completed"); j.attempt < 2 {
					t.Errorf("job %+v", j)
				}
			}
			if noord.said.outcome(message.MessageID) != "delivered" {
				t.Error("not marked")
			}
		})
	}
	for name, fail := range map[string]error{
		"refused":   fault.Refused("case.closed"),
		"not found": fault.NotFound(),
		"too late":  fault.WrongState("wrong-state"),
		"malformed": fault.Invalid("kind", "in"),
	} {
		t.Run(name, func(t *testing.T) {
			defer reset()
			zuid.said.failWith(func(proto.Message) error { return fail })
			notice, message := newNotice(zuid.url), noord.waits(zuid.url)
			id := noord.enqueue(t, notice, 200)
			noord.ends(t, noord.enqueue(t, message, 200), "completed")
			noord.ends(t, id, "cancelled")
			if zuid.said.received(notice.MessageID) != 1 || zuid.said.received(message.MessageID) != 1 || noord.said.outcome(message.MessageID) != "refused" {
				t.Error("tried again, or not marked")
			}
		})
	}
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>" + words)) },
		"a list":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`[1]`)) },
		"no end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte(`{`))
		},
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://kwaad.example/", http.StatusTemporaryRedirect)
		},
		"slow down":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"a broken one": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"never":        func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			defer reset()
			zuid.answers(answer)
			message := noord.waits(zuid.url)
			id := noord.enqueue(t, message, 200)
			noord.fails(t, id, "peer-unavailable")
			reset()
			noord.ends(t, id, "completed")
			if noord.said.outcome(message.MessageID) != "delivered" || zuid.said.received(message.MessageID) != 1 {
				t.Error("not delivered once")
			}
		})
	}
	t.Run("a reason that is a text", func(t *testing.T) {
		defer reset()
		zuid.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"reason":"` + words + `","detail":"` + words + `"}`))
		})
		noord.ends(t, noord.enqueue(t, newNotice(zuid.url), 200), "cancelled")
	})
	t.Run("a peer that is suspended", func(t *testing.T) {
		a.suspend(zuid.url)
		noord.refresh()
		message, notice := noord.waits(zuid.url), newNotice(zuid.url)
		id := noord.enqueue(t, message, 200)
		noord.fails(t, id, "member.suspended")
		if zuid.said.received(message.MessageID) != 0 {
			t.Error("words went to an organisation that takes no part")
		}
		noord.ends(t, noord.enqueue(t, notice, 200), "completed")
		a.reinstate(zuid.url)
		noord.refresh()
		noord.ends(t, id, "completed")
	})
	t.Run("an organisation that left", func(t *testing.T) {
		message := noord.waits("https://nergens.example")
		noord.ends(t, noord.enqueue(t, message, 200), "completed")
		noord.ends(t, noord.enqueue(t, newNotice("https://nergens.example"), 200), "cancelled")
		if noord.said.outcome(message.MessageID) != "refused" {
			t.Error("not marked")
		}
	})
	t.Run("the last try", func(t *testing.T) {
		defer reset()
		zuid.said.failWith(func(proto.Message) error { return fault.Internal(context.Canceled) })
		message := noord.waits(zuid.url)
		noord.ends(t, noord.enqueue(t, message, 1), "completed")
		if noord.said.outcome(message.MessageID) != "refused" {
			t.Error("its writer is not told")
		}
	})
	t.Run("cases whose time is over are closed", func(t *testing.T) {
		noord.ends(t, noord.enqueue(t, outbox.LapsedArgs{}, 1), "completed")
		if c := noord.said.last().caller; c.GetKind() != identityv1.Kind_KIND_WORKER || c.GetSubject() != "lapsed" || len(c.GetRoles()) > 0 {
			t.Errorf("caller %v", c)
		}
	})
	t.Run("nobody's words are in the queue or the log", func(t *testing.T) {
		var rows string
		must(t, noord.db.Admin().QueryRow(t.Context(), `select string_agg(j::text, ' ') from outbox.river_job j`).Scan(&rows))
		for _, word := range []string{"kanariepiet", "account-1"} {
			if strings.Contains(rows, word) || strings.Contains(noord.log.String(), word) || strings.Contains(zuid.log.String(), word) {
				t.Errorf("%q is in it", word)
			}
		}
	})
}

func TestPauses(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 3, 14, 12, 0, 0, 0, time.UTC)
	p := pauses{now: func() time.Time { return now }}
	var total time.Duration
	for n := range outbox.MaxAttempts {
		pause := p.NextRetry(&rivertype.JobRow{Errors: make([]rivertype.AttemptError, n)}).Sub(now)
		if pause < time.Second || pause > time.Hour {
			t.Errorf("pause %d is %s", n, pause)
		}
		total += pause
	}
	if total < 6*24*time.Hour {
		t.Errorf("a peer that is down for a week loses something: it is tried for %s", total)
	}
}
