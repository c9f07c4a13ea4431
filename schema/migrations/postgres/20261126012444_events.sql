-- Create "events_consumers" table
CREATE TABLE "events_consumers" (
  "name" text NOT NULL COLLATE "C",
  "since" timestamptz NOT NULL,
  "checked" text NOT NULL COLLATE "C",
  PRIMARY KEY ("name")
);
-- Create "events_inbox" table
CREATE TABLE "events_inbox" (
  "event_id" text NOT NULL COLLATE "C",
  "consumer" text NOT NULL COLLATE "C",
  "state" text NOT NULL,
  "error" text NOT NULL,
  "settled_at" timestamptz NOT NULL,
  PRIMARY KEY ("event_id", "consumer")
);
-- Create index "events_inbox_dead" to table: "events_inbox"
CREATE INDEX "events_inbox_dead" ON "events_inbox" ("event_id") WHERE (state = 'dead'::text);
-- Create "events_outbox" table
CREATE TABLE "events_outbox" (
  "id" text NOT NULL COLLATE "C",
  "name" text NOT NULL,
  "aggregate" text NOT NULL COLLATE "C",
  "version" bigint NOT NULL,
  "payload" text NOT NULL,
  "correlation" text NOT NULL,
  "actor" text NOT NULL,
  "trace" text NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "events_outbox_by_aggregate" to table: "events_outbox"
CREATE INDEX "events_outbox_by_aggregate" ON "events_outbox" ("aggregate");
