-- Modify "users" table
ALTER TABLE "users" ADD COLUMN "token_role" text NOT NULL DEFAULT '';
