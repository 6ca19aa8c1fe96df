package federation

import "github.com/zijlicht/zijlicht/services/platform/members"

// Last gives the newest document that this process has seen, expired or not. It
// tells what the node itself is; for anything about others, or about what may be
// shared, only Current counts.
func (m *Members) Last() (members.Document, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.newest == nil {
		return members.Document{}, false
	}
	return m.newest.doc, true
}
