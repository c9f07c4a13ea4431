// For users of the atlas CLI: the same migrations and the same ledger that `omnistack migrate` works with. A test
// parses this file; the CLI itself was not run.
//
// The next migration is written by `go run ./cmd/scaffold migrate diff NAME`, because the models are Go code. What no
// model describes is excluded: River's tables come by migrations of ours.

variable "url" {
  type        = string
  description = "The database to look at, such as postgres://user:password@localhost:5432/omnistack?search_path=public"
  default     = ""
}

variable "dev_url" {
  type        = string
  description = "An empty PostgreSQL database that atlas may fill and clear"
  default     = "docker://postgres/16/dev?search_path=public"
}

env "postgres" {
  url     = var.url
  dev     = var.dev_url
  exclude = ["river_*", "atlas_schema_revisions"]
  migration {
    dir              = "file://schema/migrations/postgres"
    revisions_schema = "public"
  }
}

env "sqlite" {
  url     = var.url == "" ? "sqlite://data/omnistack.db" : var.url
  dev     = "sqlite://dev?mode=memory"
  exclude = ["river_*", "atlas_schema_revisions"]
  migration {
    dir = "file://schema/migrations/sqlite"
  }
}
