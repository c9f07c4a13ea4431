-- Modify "users" table
ALTER TABLE "users" ADD COLUMN "erase_at" timestamptz NULL;
-- Create index "users_by_erasure" to table: "users"
CREATE INDEX "users_by_erasure" ON "users" ("erase_at") WHERE (erase_at IS NOT NULL);
