-- Create "audit_log" table
CREATE TABLE "audit_log" (
  "id" text NOT NULL COLLATE "C",
  "actor" text NOT NULL COLLATE "C",
  "role" text NOT NULL,
  "action" text NOT NULL,
  "target" text NOT NULL COLLATE "C",
  "input" text NOT NULL,
  "request_id" text NOT NULL,
  "status" bigint NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- Create index "audit_log_by_actor" to table: "audit_log"
CREATE INDEX "audit_log_by_actor" ON "audit_log" ("actor", "id");
-- Create index "audit_log_by_target" to table: "audit_log"
CREATE INDEX "audit_log_by_target" ON "audit_log" ("target", "id");
-- Create index "audit_log_by_time" to table: "audit_log"
CREATE INDEX "audit_log_by_time" ON "audit_log" ("created_at");
-- Let nothing change "audit_log", and nothing go that is younger than its retention of 400 days, less one for the clocks
CREATE FUNCTION "audit_log_is_append_only"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.created_at < now() - interval '399 days' THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'audit_log is append-only';
END
$$;
CREATE TRIGGER "audit_log_stays" BEFORE UPDATE OR DELETE ON "audit_log"
  FOR EACH ROW EXECUTE FUNCTION "audit_log_is_append_only"();
CREATE TRIGGER "audit_log_stays_whole" BEFORE TRUNCATE ON "audit_log"
  FOR EACH STATEMENT EXECUTE FUNCTION "audit_log_is_append_only"();
