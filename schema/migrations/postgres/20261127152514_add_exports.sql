-- Create "users_exports" table
CREATE TABLE "users_exports" (
  "id" text NOT NULL COLLATE "C",
  "user_id" text NULL COLLATE "C",
  "status" text NOT NULL,
  "done" bigint NOT NULL,
  "total" bigint NOT NULL,
  "object" text NOT NULL,
  "created_at" timestamptz NOT NULL,
  "expires_at" timestamptz NULL,
  "due_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "users_exports_by_owner" to table: "users_exports"
CREATE INDEX "users_exports_by_owner" ON "users_exports" ("user_id", "created_at");
-- Create index "users_exports_by_time" to table: "users_exports"
CREATE INDEX "users_exports_by_time" ON "users_exports" ("due_at");
