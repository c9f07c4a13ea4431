-- Create "events_outbox" table
CREATE TABLE `events_outbox` (
  `id` text NOT NULL,
  `name` text NOT NULL,
  `aggregate` text NOT NULL,
  `version` integer NOT NULL,
  `payload` text NOT NULL,
  `correlation` text NOT NULL,
  `actor` text NOT NULL,
  `trace` text NOT NULL,
  `created_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
);
-- Create index "events_outbox_by_aggregate" to table: "events_outbox"
CREATE INDEX `events_outbox_by_aggregate` ON `events_outbox` (`aggregate`);
-- Create "events_inbox" table
CREATE TABLE `events_inbox` (
  `event_id` text NOT NULL,
  `consumer` text NOT NULL,
  `state` text NOT NULL,
  `error` text NOT NULL,
  `settled_at` datetime NOT NULL,
  PRIMARY KEY (`event_id`, `consumer`)
);
-- Create index "events_inbox_dead" to table: "events_inbox"
CREATE INDEX `events_inbox_dead` ON `events_inbox` (`event_id`) WHERE state = 'dead';
-- Create "events_consumers" table
CREATE TABLE `events_consumers` (
  `name` text NOT NULL,
  `since` datetime NOT NULL,
  `checked` text NOT NULL,
  PRIMARY KEY (`name`)
);
