-- Let one thing be changed in "audit_log": an id of somebody who was erased four weeks ago becomes the hash that the receipts have.
-- A day or two are left for the clocks
DROP TRIGGER `audit_log_stays`;
CREATE TRIGGER `audit_log_stays` BEFORE UPDATE ON `audit_log`
WHEN NOT (
  (NEW.actor <> OLD.actor OR NEW.target <> OLD.target)
  AND (NEW.actor = OLD.actor OR EXISTS (SELECT 1 FROM erasure_receipts
    WHERE 'erased:' || person = NEW.actor AND erased_at < datetime('now', '-28 days')))
  AND (NEW.target = OLD.target OR EXISTS (SELECT 1 FROM erasure_receipts
    WHERE 'erased:' || person = NEW.target AND erased_at < datetime('now', '-28 days')))
  AND (NEW.id, NEW.role, NEW.action, NEW.input, NEW.request_id, NEW.status, NEW.created_at)
    IS (OLD.id, OLD.role, OLD.action, OLD.input, OLD.request_id, OLD.status, OLD.created_at)
)
BEGIN
  SELECT RAISE(ABORT, 'audit_log is append-only');
END;
