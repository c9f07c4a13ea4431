-- Create "notifications" table
CREATE TABLE "notifications" (
  "id" text NOT NULL COLLATE "C",
  "key" text NOT NULL COLLATE "C",
  "user_id" text NOT NULL COLLATE "C",
  "kind" text NOT NULL,
  "topic" text NOT NULL,
  "data" text NOT NULL,
  "read_at" timestamptz NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "notifications_by_age" to table: "notifications"
CREATE INDEX "notifications_by_age" ON "notifications" ("created_at");
-- Create index "notifications_by_key" to table: "notifications"
CREATE UNIQUE INDEX "notifications_by_key" ON "notifications" ("key");
-- Create index "notifications_by_user" to table: "notifications"
CREATE INDEX "notifications_by_user" ON "notifications" ("user_id", "created_at", "id");
-- Create index "notifications_unread" to table: "notifications"
CREATE INDEX "notifications_unread" ON "notifications" ("user_id", "created_at", "id") WHERE (read_at IS NULL);
-- Create "notifications_contacts" table
CREATE TABLE "notifications_contacts" (
  "id" text NOT NULL COLLATE "C",
  "sealed" bytea NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "notifications_contacts_by_age" to table: "notifications_contacts"
CREATE INDEX "notifications_contacts_by_age" ON "notifications_contacts" ("created_at");
-- Create "notifications_mails" table
CREATE TABLE "notifications_mails" (
  "id" text NOT NULL COLLATE "C",
  "key" text NOT NULL COLLATE "C",
  "kind" text NOT NULL,
  "user_id" text NULL COLLATE "C",
  "template" text NOT NULL,
  "data" text NULL,
  "sealed" bytea NULL,
  "state" text NOT NULL,
  "reason" text NOT NULL,
  "receipt" text NOT NULL,
  "created_at" timestamptz NOT NULL,
  "expires_at" timestamptz NULL,
  "claimed_until" timestamptz NULL,
  "ended_at" timestamptz NULL,
  "unanswered" bigint NOT NULL,
  "unanswered_since" timestamptz NULL,
  PRIMARY KEY ("id")
);
-- Create index "notifications_mails_by_age" to table: "notifications_mails"
CREATE INDEX "notifications_mails_by_age" ON "notifications_mails" ("created_at");
-- Create index "notifications_mails_by_expiry" to table: "notifications_mails"
CREATE INDEX "notifications_mails_by_expiry" ON "notifications_mails" ("expires_at") WHERE (((state = 'queued'::text) OR (state = 'failed'::text)) AND (expires_at IS NOT NULL));
-- Create index "notifications_mails_by_key" to table: "notifications_mails"
CREATE UNIQUE INDEX "notifications_mails_by_key" ON "notifications_mails" ("key");
-- Create index "notifications_mails_by_user" to table: "notifications_mails"
CREATE INDEX "notifications_mails_by_user" ON "notifications_mails" ("user_id", "kind", "created_at");
-- Create index "notifications_mails_unsent" to table: "notifications_mails"
CREATE INDEX "notifications_mails_unsent" ON "notifications_mails" ("created_at") WHERE (state = 'queued'::text);
-- Create "notifications_preferences" table
CREATE TABLE "notifications_preferences" (
  "user_id" text NOT NULL COLLATE "C",
  "switched_off" text NOT NULL,
  "version" bigint NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("user_id")
);
-- Create "notifications_suppressions" table
CREATE TABLE "notifications_suppressions" (
  "address_hash" text NOT NULL COLLATE "C",
  "reason" text NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("address_hash")
);
