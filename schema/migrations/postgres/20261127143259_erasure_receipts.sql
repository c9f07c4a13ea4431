-- Create "erasure_receipts" table
CREATE TABLE "erasure_receipts" (
  "id" text NOT NULL COLLATE "C",
  "person" text NOT NULL COLLATE "C",
  "module" text NOT NULL COLLATE "C",
  "pass" text NOT NULL COLLATE "C",
  "counts" text NOT NULL,
  "erased_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "erasure_receipts_by_person" to table: "erasure_receipts"
CREATE UNIQUE INDEX "erasure_receipts_by_person" ON "erasure_receipts" ("person", "module", "pass");
-- Create index "erasure_receipts_by_time" to table: "erasure_receipts"
CREATE INDEX "erasure_receipts_by_time" ON "erasure_receipts" ("erased_at");
