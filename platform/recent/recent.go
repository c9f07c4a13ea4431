// Package recent remembers what was used last, and no more than there is room for.
package recent

import (
	"maps"
	"sync"
)

// Map is a bounded map of what was used last. It has two generations: when the young one has half of the limit, the
// old one is dropped and the young one grows old; what is used in the old one becomes young again. That is an LRU
// in effect, without a list to lock and relink on every hit. It is safe for concurrent use.
type Map[K comparable, V any] struct {
	half       int
	mu         sync.RWMutex
	young, old map[K]V
}

// NewMap returns an empty map that never holds more than limit entries.
func NewMap[K comparable, V any](limit int) *Map[K, V] {
	return &Map[K, V]{half: limit / 2, young: make(map[K]V)}
}

// Get returns what is known under the key, and whether anything is.
func (m *Map[K, V]) Get(key K) (V, bool) {
	m.mu.RLock()
	known, young := m.young[key]
	found := young
	if !young {
		known, found = m.old[key]
	}
	m.mu.RUnlock()
	if found && !young {
		m.rejuvenate(key)
	}
	return known, found
}

// rejuvenate makes what is old young again, unless it was dropped meanwhile.
func (m *Map[K, V]) rejuvenate(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, found := m.old[key]; found {
		m.add(key, known)
	}
}

// Put remembers what is known under the key from now on.
func (m *Map[K, V]) Put(key K, known V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(key, known)
}

// Update remembers what change makes of what was known under the key, the zero value for nothing. Nobody comes between.
func (m *Map[K, V]) Update(key K, change func(known V) V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, young := m.young[key]
	if !young {
		known = m.old[key]
	}
	m.add(key, change(known))
}

func (m *Map[K, V]) add(key K, known V) {
	if _, young := m.young[key]; !young && len(m.young) >= m.half {
		m.old, m.young = m.young, make(map[K]V, m.half)
	}
	m.young[key] = known
}

// Drop forgets what matches.
func (m *Map[K, V]) Drop(matches func(K, V) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.young, matches)
	maps.DeleteFunc(m.old, matches)
}

// Len returns how many entries are held. One that was old and is young again counts twice.
func (m *Map[K, V]) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.young) + len(m.old)
}
