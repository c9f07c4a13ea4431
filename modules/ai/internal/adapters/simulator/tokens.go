package simulator

import "unicode"

// imageTokens is what an image counts, whatever its size, as one of low detail does at OpenAI.
const imageTokens = 85

// split cuts a text into tokens: one for each word, with the space before it. Space at the end goes with the last word.
func split(text string) []string {
	var tokens []string
	start, inWord := 0, false
	for i, letter := range text {
		isSpace := unicode.IsSpace(letter)
		if isSpace && inWord {
			tokens = append(tokens, text[start:i])
			start = i
		}
		inWord = !isSpace
	}
	switch {
	case inWord:
		tokens = append(tokens, text[start:])
	case len(tokens) > 0:
		tokens[len(tokens)-1] += text[start:]
	}
	return tokens
}

// textTokens returns how many tokens so many bytes of a prompt are.
func textTokens(bytes int) int { return (bytes + 3) / 4 }
