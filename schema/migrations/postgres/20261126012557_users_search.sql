-- Create index "projects_by_creation" to table: "projects"
CREATE INDEX "projects_by_creation" ON "projects" ("created_at");
-- Modify "users" table
ALTER TABLE "users" ADD COLUMN "search" text NULL COLLATE "C";
-- Create index "users_by_created" to table: "users"
CREATE INDEX "users_by_created" ON "users" ("created_at", "id");
-- Create index "users_by_role" to table: "users"
CREATE INDEX "users_by_role" ON "users" ("role", "id") WHERE (deleted_at IS NULL);
-- What is there already is folded as well as SQL can; the next change of a user does it properly.
UPDATE "users" SET "search" = lower(coalesce("full_name" || chr(10), '') || coalesce("email", '')) WHERE "deleted_at" IS NULL;
