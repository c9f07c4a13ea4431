// Command bench measures the product's hot endpoints against a floor: the least that a server can do for the same
// answers (package floor). Both run as processes of their own over copies of one database, and take turns under the
// same load, so that what else the machine does hits both. Read the ratios; the figures beside them say what this
// machine did today.
//
//	make bench                                     # everything, about four minutes
//	make bench args="-endpoints get -rounds 3"     # less
//	make profile                                   # where the product's time and memory go, under the same load
//	make bench-ai                                  # calls of models, about two minutes
//	make profile args=-ai                          # where their time and memory go
//
// What is measured: the product's own binary as users run it, with authentication and a log line for every request. The
// floor keeps no log and has neither framework nor ORM. It looks its user up on every request; for /me that one query
// is also the answer.
//
// What is loaded: 10,000 projects of 200 users, made by the product's own seeder, asked for over keep-alive
// connections, each with one request under way. PostgreSQL is testkit's: it doesn't wait for the disk, so a write costs
// the database less than in production and the server's own share shows more. The client, the servers and PostgreSQL
// share the machine's cores.
//
// Calls of models are measured beside the call itself, of a provider in this process that answers at once, and beside package
// naive, in turns. Whoever asks has a token, and the product counts each call against a limit and a budget and keeps it in the
// ledger. CPU is measured under load, waiting at a steady pace. The provider sends each piece of a stream by itself; the
// product hands on together what came together.
//
// CPU is the user and system time of the server's process alone, from Linux' /proc; elsewhere that column is empty.
// Nothing here fails because a figure is low, and nothing is written outside of the temporary folder, profiles apart.
// A test proves that both servers answer alike.
package main
