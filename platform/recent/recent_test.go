package recent

import (
	"sync"
	"testing"
)

func TestItIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	known := NewMap[int, string](10)
	known.Put(-1, "used")
	for i := range 100 {
		known.Put(i, "seen once")
		if size := known.Len(); size > 10 {
			t.Fatalf("it holds %d", size)
		}
		if got, found := known.Get(-1); !found || got != "used" {
			t.Fatalf("what is used was dropped: %q", got)
		}
	}
	if _, found := known.Get(0); found {
		t.Error("what isn't used was kept")
	}
}

func TestWhatIsDroppedDoesNotComeBackByBeingUsed(t *testing.T) {
	known := NewMap[string, int](4)
	known.Put("old", 1)
	known.Put("a", 2)
	known.Put("b", 3) // the first two are old now
	known.Drop(func(key string, _ int) bool { return key == "old" })
	known.rejuvenate("old") // by a reader that had found it before it was dropped
	if _, found := known.Get("old"); found {
		t.Error("it is back")
	}
	known.rejuvenate("a")
	if _, young := known.young["a"]; !young {
		t.Error("what is used stays old")
	}
}

// What is young is replaced in its place: a full generation doesn't grow old by it.
func TestReplacingMakesNothingOlder(t *testing.T) {
	known := NewMap[string, int](4)
	known.Put("old", 1)
	known.Put("a", 2)
	known.Put("b", 3)
	known.Put("c", 4)
	for range 10 {
		known.Put("c", 5)
		known.Update("b", func(n int) int { return n + 1 })
	}
	if got, _ := known.Get("old"); got != 1 {
		t.Error("the oldest was dropped, though nothing came")
	}
	if got, _ := known.Get("b"); got != 13 {
		t.Errorf("b is %d", got)
	}
}

func TestUpdatesDoNotMeet(t *testing.T) {
	known := NewMap[string, int](4)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 1000 {
				known.Update("n", func(n int) int { return n + 1 })
			}
		})
	}
	running.Wait()
	if got, _ := known.Get("n"); got != 8000 {
		t.Errorf("%d of 8000 were counted", got)
	}
	known.Put("a", 0)
	known.Put("b", 0) // n is old now
	known.Update("n", func(n int) int { return n + 1 })
	if got, _ := known.Get("n"); got != 8001 {
		t.Errorf("what is old was forgotten by its update: %d", got)
	}
}
