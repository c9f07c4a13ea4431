// Command security proves the security checklist. It runs from the top of the repository, beside servers for tests:
//
//	make security
//
// What is claimed stands in two tables. checklist.yaml is the list that a launch is held against; asvs.yaml goes through
// the requirements of OWASP's Application Security Verification Standard. Each line names the tests that prove it, or says
// why it doesn't apply, or with what work it comes. The command runs those tests and prints what became of every line.
// Then it looks for known weaknesses: in the code, in the modules that were downloaded, in modules that their authors
// gave up or took back, and in Go's database of vulnerabilities where that can be reached.
//
// That the tables are whole and name tests that exist is checked by the tests of this package, without servers and network.
package main
