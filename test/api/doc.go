// Package api holds the promises that the running product keeps over HTTP, on both databases: what it refuses and how,
// who gets in, what happens when many come at once, and what happens without its database.
package api
