package auth

import (
	"maps"
	"sync"
)

// recent is a bounded map of what was used last. It has two generations: when the young one has half of the limit, the
// old one is dropped and the young one grows old; what is used in the old one becomes young again. That is an LRU
// in effect, without a list to lock and relink on every hit.
type recent[K comparable, V any] struct {
	half       int
	mu         sync.RWMutex
	young, old map[K]V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{half: limit / 2, young: make(map[K]V)}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	r.mu.RLock()
	known, young := r.young[key]
	found := young
	if !young {
		known, found = r.old[key]
	}
	r.mu.RUnlock()
	if found && !young {
		r.rejuvenate(key)
	}
	return known, found
}

// rejuvenate makes what is old young again, unless it was dropped meanwhile.
func (r *recent[K, V]) rejuvenate(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, found := r.old[key]; found {
		r.add(key, known)
	}
}

func (r *recent[K, V]) put(key K, known V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(key, known)
}

func (r *recent[K, V]) add(key K, known V) {
	if len(r.young) >= r.half {
		r.old, r.young = r.young, make(map[K]V, r.half)
	}
	r.young[key] = known
}

// drop removes what matches.
func (r *recent[K, V]) drop(matches func(K, V) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.young, matches)
	maps.DeleteFunc(r.old, matches)
}
