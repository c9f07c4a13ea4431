-- Modify "users" table
ALTER TABLE "users" ADD COLUMN "last_session" text NOT NULL DEFAULT '', ADD COLUMN "own_full_name" boolean NOT NULL DEFAULT false, ADD COLUMN "own_avatar_url" boolean NOT NULL DEFAULT false;
-- Modify "users_identities" table
ALTER TABLE "users_identities" ADD COLUMN "provider_updated_at" timestamptz NULL;
-- Create "users_webhooks" table
CREATE TABLE "users_webhooks" (
  "id" text NOT NULL COLLATE "C",
  "provider" text NOT NULL,
  "event_id" text NOT NULL COLLATE "C",
  "type" text NOT NULL,
  "payload" bytea NULL,
  "received_at" timestamptz NOT NULL,
  "processed_at" timestamptz NULL,
  PRIMARY KEY ("id")
);
-- Create index "users_webhooks_by_age" to table: "users_webhooks"
CREATE INDEX "users_webhooks_by_age" ON "users_webhooks" ("received_at");
-- Create index "users_webhooks_by_event" to table: "users_webhooks"
CREATE UNIQUE INDEX "users_webhooks_by_event" ON "users_webhooks" ("provider", "event_id");
