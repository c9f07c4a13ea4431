-- Let one thing be changed in "audit_log": an id of somebody who was erased four weeks ago becomes the hash that the receipts have.
-- A day or two are left for the clocks
CREATE OR REPLACE FUNCTION "audit_log_is_append_only"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.created_at < now() - interval '399 days' THEN
      RETURN OLD;
    END IF;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.actor <> OLD.actor OR NEW.target <> OLD.target)
      AND (NEW.actor = OLD.actor OR EXISTS (SELECT 1 FROM erasure_receipts
        WHERE 'erased:' || person = NEW.actor AND erased_at < now() - interval '28 days'))
      AND (NEW.target = OLD.target OR EXISTS (SELECT 1 FROM erasure_receipts
        WHERE 'erased:' || person = NEW.target AND erased_at < now() - interval '28 days'))
      AND (NEW.id, NEW.role, NEW.action, NEW.input, NEW.request_id, NEW.status, NEW.created_at)
        IS NOT DISTINCT FROM (OLD.id, OLD.role, OLD.action, OLD.input, OLD.request_id, OLD.status, OLD.created_at)
    THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'audit_log is append-only';
END
$$;
