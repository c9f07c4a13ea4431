// Package e2e tells what the product is for, as its users live it: over HTTP, against the whole of it, on both
// databases.
package e2e

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func TestAcceptance(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "OmniStack")
}
