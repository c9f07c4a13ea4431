// Package projects is the contract of the projects context: what other modules may know of it and ask it.
//
// The context owns projects: a name and a description that one user keeps. It is the example to copy for a resource
// of your own, so it shows every rule of the house once.
//
// Invariants:
//   - A project has exactly one owner for life, and only its owner sees it: for anyone else it doesn't exist.
//   - A name has 1 to 100 characters and isn't blank; a description has at most 2,000.
//   - Every change raises the version by one; a change based on an older version is refused when the client asks for it.
//   - A deleted project is gone from every list, count and look-up at once.
//
// It refuses to share a project, to move it to another owner, and to bring a deleted one back.
package projects
