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
//   - A project has files. Their bytes go from the client to where the product keeps files and back, by signed URLs. A file is ready
//     when its upload was completed: a copy that nobody can change any more was found to have the size and the type that were said, and
//     no malware if CLAMAV_ADDR names who looks for it.
//   - The files of an owner have no more bytes than the plan includes, those to come too.
//   - Every object of a file is the file's or noted to be removed, whenever the program dies.
//
// It refuses to share a project, to move it to another owner, and to bring a deleted one back; to look into archives, and to show a
// file instead of having it downloaded.
package projects
