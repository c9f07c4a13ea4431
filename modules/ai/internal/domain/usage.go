package domain

// Usage is how many tokens a call took, by kind. The kinds of a prompt don't overlap: Input is what was neither read from
// the provider's cache nor written into it. Reasoning is a part of Output.
type Usage struct {
	Input       int
	CachedRead  int
	CachedWrite int
	Output      int
	Reasoning   int
	Source      Source
	Cost        Pico // what the provider says that the call cost; 0 where it says nothing
}

// Prompt returns the tokens of the prompt, of all kinds.
func (u Usage) Prompt() int { return u.Input + u.CachedRead + u.CachedWrite }

// Total returns all tokens.
func (u Usage) Total() int { return u.Prompt() + u.Output }

// Source says who counted.
type Source string

// The sources.
const (
	Provided  Source = "provider"  // the provider counted
	Estimated Source = "estimated" // we did, as a provider says nothing of what was cancelled
	Unused    Source = "none"      // nothing was used: the call didn't reach a provider, or it refused it
)
