-- Create "ai_budgets" table
CREATE TABLE "ai_budgets" (
  "user_id" text NOT NULL COLLATE "C",
  "month" text NOT NULL,
  "spent" bigint NOT NULL,
  "reserved" bigint NOT NULL,
  PRIMARY KEY ("user_id", "month")
);
-- Create "ai_calls" table
CREATE TABLE "ai_calls" (
  "id" text NOT NULL COLLATE "C",
  "endpoint" text NOT NULL,
  "route" text NOT NULL,
  "requested" text NOT NULL,
  "stream" boolean NOT NULL,
  "provider" text NOT NULL,
  "model" text NOT NULL,
  "attempts" bigint NOT NULL,
  "input" bigint NOT NULL,
  "cached_read" bigint NOT NULL,
  "cached_write" bigint NOT NULL,
  "output" bigint NOT NULL,
  "reasoning" bigint NOT NULL,
  "usage_source" text NOT NULL,
  "cost" bigint NOT NULL,
  "cost_known" boolean NOT NULL,
  "price_version" text NOT NULL,
  "started_at" timestamptz NOT NULL,
  "user_id" text NULL COLLATE "C",
  "status" text NOT NULL,
  "finish" text NOT NULL,
  "reason" text NOT NULL,
  "day" text NOT NULL,
  "ended_at" timestamptz NOT NULL,
  "first_us" bigint NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "ai_calls_by_day" to table: "ai_calls"
CREATE INDEX "ai_calls_by_day" ON "ai_calls" ("day");
-- Create index "ai_calls_by_user" to table: "ai_calls"
CREATE INDEX "ai_calls_by_user" ON "ai_calls" ("user_id", "day");
-- Create "ai_holds" table
CREATE TABLE "ai_holds" (
  "id" text NOT NULL COLLATE "C",
  "endpoint" text NOT NULL,
  "route" text NOT NULL,
  "requested" text NOT NULL,
  "stream" boolean NOT NULL,
  "provider" text NOT NULL,
  "model" text NOT NULL,
  "attempts" bigint NOT NULL,
  "input" bigint NOT NULL,
  "cached_read" bigint NOT NULL,
  "cached_write" bigint NOT NULL,
  "output" bigint NOT NULL,
  "reasoning" bigint NOT NULL,
  "usage_source" text NOT NULL,
  "cost" bigint NOT NULL,
  "cost_known" boolean NOT NULL,
  "price_version" text NOT NULL,
  "started_at" timestamptz NOT NULL,
  "user_id" text NOT NULL COLLATE "C",
  "month" text NOT NULL,
  "amount" bigint NOT NULL,
  "expires_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "ai_holds_by_expiry" to table: "ai_holds"
CREATE INDEX "ai_holds_by_expiry" ON "ai_holds" ("expires_at");
-- Create index "ai_holds_by_user" to table: "ai_holds"
CREATE INDEX "ai_holds_by_user" ON "ai_holds" ("user_id");
