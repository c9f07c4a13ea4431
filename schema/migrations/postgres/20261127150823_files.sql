-- Create "blob_removals" table
CREATE TABLE "blob_removals" (
  "key" text NOT NULL COLLATE "C",
  "due_at" timestamptz NOT NULL,
  PRIMARY KEY ("key")
);
-- Create index "blob_removals_by_time" to table: "blob_removals"
CREATE INDEX "blob_removals_by_time" ON "blob_removals" ("due_at");
-- Create "projects_files" table
CREATE TABLE "projects_files" (
  "id" text NOT NULL COLLATE "C",
  "project_id" text NOT NULL COLLATE "C",
  "owner_id" text NOT NULL COLLATE "C",
  "filename" text NOT NULL,
  "type" text NOT NULL,
  "size" bigint NOT NULL,
  "object" text NOT NULL,
  "expires_at" timestamptz NOT NULL,
  "version" bigint NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "projects_files_by_created" to table: "projects_files"
CREATE INDEX "projects_files_by_created" ON "projects_files" ("project_id", "created_at", "id");
-- Create index "projects_files_by_owner" to table: "projects_files"
CREATE INDEX "projects_files_by_owner" ON "projects_files" ("owner_id", "size");
-- Create index "projects_files_pending" to table: "projects_files"
CREATE INDEX "projects_files_pending" ON "projects_files" ("expires_at") WHERE (object = ''::text);
