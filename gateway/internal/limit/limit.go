// Package limit slows down whoever tries too often: a token bucket per key, such as a client's address. It guards what
// can be guessed at without a sign-in (receipt codes, one-time links). It keeps its counts in memory only, never stores
// or logs an address, and is no defence against a flood from very many addresses: codes are long enough for that.
package limit

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Keys is how many keys are remembered. The key that was used longest ago is forgotten first, and starts afresh.
const Keys = 10_000

// Config says how much is allowed: Burst attempts at once, and one more after each interval Every. Now is the clock; nil
// means the real one.
type Config struct {
	Every time.Duration
	Burst int
	Now   func() time.Time
}

// Limiter is safe for concurrent use.
type Limiter struct {
	Config

	mu      sync.Mutex
	buckets map[string]*list.Element
	recent  list.List // of *bucket, the latest used in front
}

type bucket struct {
	key  string
	rate *rate.Limiter
}

// New makes a limiter.
func New(c Config) *Limiter {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Limiter{Config: c, buckets: map[string]*list.Element{}}
}

// Allow counts an attempt and says whether it may go on. Refused attempts do not make the wait longer, so that people
// behind one address are not shut out by the most stubborn of them.
func (l *Limiter) Allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bucket(key).rate.AllowN(l.Now(), 1)
}

// Open says whether an attempt may go on, without counting it: for what only counts when it turns out to be wrong.
func (l *Limiter) Open(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bucket(key).rate.TokensAt(l.Now()) >= 1
}

func (l *Limiter) bucket(key string) *bucket {
	if e, ok := l.buckets[key]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if l.recent.Len() >= Keys {
		oldest := l.recent.Back()
		l.recent.Remove(oldest)
		delete(l.buckets, oldest.Value.(*bucket).key)
	}
	b := &bucket{key, rate.NewLimiter(rate.Every(l.Every), l.Burst)}
	l.buckets[key] = l.recent.PushFront(b)
	return b
}

// Address is the key of a client, made of a request's RemoteAddr: an IPv4 address, or the /64 that one IPv6 client can
// choose addresses from. What is no address gets one key together.
func Address(remoteAddr string) string {
	var addr netip.Addr
	if withPort, err := netip.ParseAddrPort(remoteAddr); err == nil {
		addr = withPort.Addr()
	} else if addr, err = netip.ParseAddr(remoteAddr); err != nil {
		return "unknown"
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}
