-- Create "idempotency_keys" table
CREATE TABLE "idempotency_keys" (
  "id" text NOT NULL COLLATE "C",
  "user_id" text NOT NULL COLLATE "C",
  "about" text NOT NULL COLLATE "C",
  "fingerprint" text NOT NULL,
  "outside" text NOT NULL,
  "lease_until" timestamptz NULL,
  "status" bigint NOT NULL,
  "headers" text NOT NULL,
  "body" bytea NULL,
  "created_at" timestamptz NOT NULL,
  "expires_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "idempotency_keys_about" to table: "idempotency_keys"
CREATE INDEX "idempotency_keys_about" ON "idempotency_keys" ("about");
-- Create index "idempotency_keys_by_end" to table: "idempotency_keys"
CREATE INDEX "idempotency_keys_by_end" ON "idempotency_keys" ("expires_at");
-- Create index "idempotency_keys_by_user" to table: "idempotency_keys"
CREATE INDEX "idempotency_keys_by_user" ON "idempotency_keys" ("user_id");
