package federation

import (
	"context"
	"time"

	"github.com/zijlicht/zijlicht/services/platform/members"
)

// Last gives the newest document that this node has seen, expired or not, also
// when that was before a restart. It tells what the node itself is; for anything
// about others, or about what may be shared, only Current counts.
func (m *Members) Last(ctx context.Context) (members.Document, bool) {
	m.mu.Lock()
	newest := m.newest
	m.mu.Unlock()
	if newest == nil {
		var compact string
		var issued time.Time
		err := m.Pool.QueryRow(ctx, `select document, issue_time from gateway.member_document where issuer = $1`, m.Issuer).Scan(&compact, &issued)
		if err != nil {
			return members.Document{}, false
		}
		// It was valid then; that the pinned keys signed it is checked as ever.
		doc, err := members.Verify(compact, m.Issuer, m.Keys, issued)
		if err != nil {
			return members.Document{}, false
		}
		newest = &held{doc: doc, compact: compact}
		m.adopt(newest, "")
	}
	return newest.doc, true
}
