// Package domain holds the rules of AI: what a call of a model is and how it fails, what models there are, which of them
// answers, and what that costs.
package domain
