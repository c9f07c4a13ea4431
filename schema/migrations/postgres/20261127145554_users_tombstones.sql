-- Create "users_tombstones" table
CREATE TABLE "users_tombstones" (
  "hash" text NOT NULL COLLATE "C",
  "registered_at" timestamptz NULL,
  "buried_at" timestamptz NOT NULL,
  PRIMARY KEY ("hash")
);
