-- Modify "users" table
ALTER TABLE "users" ADD COLUMN "billing_version" bigint NOT NULL DEFAULT 0;
-- Create "billing_accounts" table
CREATE TABLE "billing_accounts" (
  "user_id" text NOT NULL COLLATE "C",
  "customer_id" text NULL COLLATE "C",
  "customers" bigint NOT NULL,
  "subscription_id" text NULL COLLATE "C",
  "status" text NULL,
  "price_id" text NULL COLLATE "C",
  "amount" bigint NULL,
  "currency" text NULL,
  "period_start" timestamptz NULL,
  "period_end" timestamptz NULL,
  "cancel_at_period_end" boolean NULL,
  "trial_end" timestamptz NULL,
  "subscription_created_at" timestamptz NULL,
  "subscription_ended_at" timestamptz NULL,
  "plan" text NOT NULL,
  "interval" text NULL,
  "extra" bigint NOT NULL,
  "due_since" timestamptz NULL,
  "had_trial" boolean NOT NULL,
  "trial_told" timestamptz NULL,
  "asked" bigint NOT NULL,
  "applied" bigint NOT NULL,
  "version" bigint NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("user_id")
);
-- Create index "billing_accounts_by_customer" to table: "billing_accounts"
CREATE UNIQUE INDEX "billing_accounts_by_customer" ON "billing_accounts" ("customer_id") WHERE (customer_id IS NOT NULL);
-- Create index "billing_accounts_live" to table: "billing_accounts"
CREATE INDEX "billing_accounts_live" ON "billing_accounts" ("user_id") WHERE ((status <> 'canceled'::text) AND (status <> 'incomplete_expired'::text));
-- Create "billing_invoices" table
CREATE TABLE "billing_invoices" (
  "id" text NOT NULL COLLATE "C",
  "user_id" text NOT NULL COLLATE "C",
  "subscription_id" text NULL COLLATE "C",
  "number" text NULL,
  "status" text NOT NULL,
  "due" bigint NOT NULL,
  "paid" bigint NOT NULL,
  "refunded" bigint NOT NULL,
  "currency" text NOT NULL,
  "attempts" bigint NOT NULL,
  "next_attempt_at" timestamptz NULL,
  "url" text NULL,
  "created_at" timestamptz NOT NULL,
  "told" bigint NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "billing_invoices_by_user" to table: "billing_invoices"
CREATE INDEX "billing_invoices_by_user" ON "billing_invoices" ("user_id", "created_at", "id");
-- Create "billing_webhooks" table
CREATE TABLE "billing_webhooks" (
  "id" text NOT NULL COLLATE "C",
  "type" text NOT NULL,
  "customer_id" text NULL COLLATE "C",
  "seen" bigint NOT NULL,
  "received_at" timestamptz NOT NULL,
  "processed_at" timestamptz NULL,
  PRIMARY KEY ("id")
);
-- Create index "billing_webhooks_by_age" to table: "billing_webhooks"
CREATE INDEX "billing_webhooks_by_age" ON "billing_webhooks" ("received_at", "id");
-- Create "projects_plans" table
CREATE TABLE "projects_plans" (
  "owner_id" text NOT NULL COLLATE "C",
  "plan" text NOT NULL,
  "version" bigint NOT NULL,
  PRIMARY KEY ("owner_id")
);
