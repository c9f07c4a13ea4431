package simulator

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

// dice gives numbers that look like chance and are the same for the same seed, on every machine and in every release.
type dice struct {
	seed   [sha256.Size]byte
	rolled uint64
}

// roll returns a number from 0 to below sides.
func (d *dice) roll(sides int) int {
	d.rolled++
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(d.seed[:], d.rolled))
	return int(binary.BigEndian.Uint32(sum[:]) % uint32(sides)) //nolint:gosec // sides are small and more than none
}

func (d *dice) pick(words string) string {
	all := strings.Fields(words)
	return all[d.roll(len(all))]
}

const (
	adjectives = "amber brave calm distant early gentle green honest late little narrow old patient quiet silver small steady warm"
	nouns      = "answer bridge captain city forest garden harbour hill island lantern letter mountain question river road signal teacher window"
	verbs      = "answers carries crosses finds follows keeps knows meets passes reaches shows watches"
	places     = "behind beside beyond near under"
)

func (d *dice) adjective() string { return d.pick(adjectives) }
func (d *dice) noun() string      { return d.pick(nouns) }

// text returns some sentences of 7 or 10 words, which are 21 to 50 together.
func (d *dice) text() string {
	var said []string
	for range 3 + d.roll(3) {
		sentence := fmt.Sprintf("The %s %s %s the %s %s", d.adjective(), d.noun(), d.pick(verbs), d.adjective(), d.noun())
		if d.roll(2) == 0 {
			sentence += fmt.Sprintf(" %s the %s", d.pick(places), d.noun())
		}
		said = append(said, sentence+".")
	}
	return strings.Join(said, " ")
}

// thought returns what comes before an answer, in 10 or 18 words.
func (d *dice) thought() string {
	said := fmt.Sprintf("First I look at the %s, then at the %s.", d.noun(), d.noun())
	if d.roll(2) == 0 {
		said += fmt.Sprintf(" The %s matters more than the %s here.", d.noun(), d.noun())
	}
	return said
}

// few returns one to three words.
func (d *dice) few() string {
	return strings.Join([]string{d.adjective(), d.noun(), d.pick(places)}[:1+d.roll(3)], " ")
}
