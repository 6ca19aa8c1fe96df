// Package reviewtest runs the review service for tests. What stands in for another
// service is named after it and does what its contract says in a simple way.
package reviewtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
	"github.com/zijlicht/zijlicht/services/review"
)

// Node is one organisation's dialogues under test.
type Node struct {
	*servetest.Harness
	Review  reviewv1.ReviewServiceClient
	Cases   *Cases
	Gateway *Gateway
}

// Schemas that the service needs, in order.
func Schemas() []pgdb.Schema {
	return []pgdb.Schema{auditSchema(), outbox.Schema(), review.Schema()}
}

// auditSchema is the real decision log's, from its files: services do not import each other.
func auditSchema() pgdb.Schema {
	_, here, _, _ := runtime.Caller(0)
	return pgdb.Schema{Name: "audit", Login: true, Migrations: os.DirFS(filepath.Join(filepath.Dir(here), "../../audit/migrations"))}
}

// New serves dialogues with the given policy.
func New(t *testing.T, bundle fs.FS, connect servetest.Connect) *Node {
	t.Helper()
	db := pgtest.New(t, Schemas()...)
	n := &Node{Cases: NewCases(), Gateway: NewGateway()}
	n.Harness = servetest.New(t, db, bundle, "review", connect, func(r grpc.ServiceRegistrar, conn grpc.ClientConnInterface) {
		Register(t, r, conn, db)
		casesv1.RegisterCasesServiceServer(r, n.Cases)
		gatewayv1.RegisterFederationServiceServer(r, n.Gateway)
	})
	n.Review = reviewv1.NewReviewServiceClient(n.Conn)
	return n
}

// Register serves dialogues with a new master key. Whoever uses it registers a
// CasesService and a FederationService beside it, those of this package or real ones.
func Register(t *testing.T, r grpc.ServiceRegistrar, conn grpc.ClientConnInterface, db *pgtest.DB) {
	t.Helper()
	master, err := keys.Create(filepath.Join(t.TempDir(), "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := outbox.New(db.Pool("review"))
	if err != nil {
		t.Fatal(err)
	}
	review.Register(r, review.Config{Pool: db.Pool("review"), Outbox: o, Conn: conn, Keys: master, Node: servetest.Node})
}

// Reviewer is a new reviewer at the organisation under test.
func Reviewer() *identityv1.Caller {
	return servetest.Person(uuid.NewString(), "team-oost", "professional", "reviewer")
}

// Author is a new author at the organisation under test.
func Author() *identityv1.Caller {
	return servetest.Person(uuid.NewString(), "team-oost", "professional")
}

// Notifier is the other organisation's node, delivering notices.
func Notifier() *identityv1.Caller { return servetest.PeerReader("node", "notifier") }

// Noticed takes in that a case was opened and gives the notice as this reviewer sees it.
func (n *Node) Noticed(t *testing.T, reviewer *identityv1.Caller, publicID string) *reviewv1.Notice {
	t.Helper()
	_, err := n.Review.ReceiveNotice(n.As(t.Context(), Notifier()), &reviewv1.ReceiveNoticeRequest{
		MessageId: uuid.NewString(), Kind: "opened", CasePublicId: publicID, Circle: servetest.Circle, Sequence: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := n.Review.ListNotices(n.As(t.Context(), reviewer), &reviewv1.ListNoticesRequest{PageSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, notice := range list.GetNotices() {
		if notice.GetCasePublicId() == publicID {
			return notice
		}
	}
	t.Fatal("the notice is not in the list")
	return nil
}

// Started is a review that the reviewer began on a case of the other organisation.
func (n *Node) Started(t *testing.T, reviewer *identityv1.Caller, publicID string) *reviewv1.Review {
	t.Helper()
	notice := n.Noticed(t, reviewer, publicID)
	r, err := n.Review.StartReview(n.As(t.Context(), reviewer), &reviewv1.StartReviewRequest{
		RequestId: uuid.NewString(), NoticeId: notice.GetId(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Received is a dialogue that the other organisation's reader began on a case of this author's.
func (n *Node) Received(t *testing.T, author, reader *identityv1.Caller, publicID string) *reviewv1.Review {
	t.Helper()
	n.Cases.Publish(publicID, author.GetSubject())
	req := Question(uuid.NewString(), publicID, 1)
	if _, err := n.Review.ReceiveMessage(n.As(t.Context(), reader), req); err != nil {
		t.Fatal(err)
	}
	r, err := n.Review.GetReview(n.As(t.Context(), author), &reviewv1.GetReviewRequest{ReviewId: req.GetDialogueId()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Question is a reader's message as it travels.
func Question(dialogueID, publicID string, sequence uint32) *reviewv1.ReceiveMessageRequest {
	return &reviewv1.ReceiveMessageRequest{
		MessageId: uuid.NewString(), DialogueId: dialogueID, CasePublicId: publicID, FromSide: "reader", Kind: "question",
		Text: "Wat maakte dat je bleef?", Sequence: sequence,
	}
}

// Answer is an owner's message as it travels.
func Answer(dialogueID, publicID string, sequence uint32) *reviewv1.ReceiveMessageRequest {
	m := Question(dialogueID, publicID, sequence)
	m.FromSide, m.Kind, m.Text = "owner", "answer", "Omdat het stil werd."
	return m
}
