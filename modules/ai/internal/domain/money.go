package domain

import (
	"strconv"
	"strings"
)

// Pico is an amount of money in picodollars, 10⁻¹² US dollars. A price in microdollars for a million tokens is the same
// number of picodollars for one token, so that costs are whole numbers: exact, up to 9.2 million dollars.
type Pico int64

// Dollar is one US dollar.
const Dollar Pico = 1e12

// Cent is a hundredth of a US dollar.
const Cent = Dollar / 100

// String returns the amount in US dollars, such as "0.000125", without zeros at its end.
func (p Pico) String() string {
	sign, whole, part := "", p/Dollar, p%Dollar
	if p < 0 {
		sign, whole, part = "-", -whole, -part
	}
	text := sign + strconv.FormatInt(int64(whole), 10)
	if part == 0 {
		return text
	}
	digits := strconv.FormatInt(int64(part), 10)
	digits = strings.Repeat("0", 12-len(digits)) + digits
	return text + "." + strings.TrimRight(digits, "0")
}
