-- Create "audit_log" table
CREATE TABLE `audit_log` (
  `id` text NOT NULL,
  `actor` text NOT NULL,
  `role` text NOT NULL,
  `action` text NOT NULL,
  `target` text NOT NULL,
  `input` text NOT NULL,
  `request_id` text NOT NULL,
  `status` integer NOT NULL,
  `created_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
);
-- Create index "audit_log_by_time" to table: "audit_log"
CREATE INDEX `audit_log_by_time` ON `audit_log` (`created_at`);
-- Create index "audit_log_by_target" to table: "audit_log"
CREATE INDEX `audit_log_by_target` ON `audit_log` (`target`, `id`);
-- Create index "audit_log_by_actor" to table: "audit_log"
CREATE INDEX `audit_log_by_actor` ON `audit_log` (`actor`, `id`);
-- Let nothing change "audit_log", and nothing go that is younger than its retention of 400 days, less one for the clocks
CREATE TRIGGER `audit_log_stays` BEFORE UPDATE ON `audit_log`
BEGIN
  SELECT RAISE(ABORT, 'audit_log is append-only');
END;
CREATE TRIGGER `audit_log_stays_whole` BEFORE DELETE ON `audit_log`
WHEN OLD.created_at >= datetime('now', '-399 days')
BEGIN
  SELECT RAISE(ABORT, 'audit_log is append-only');
END;
