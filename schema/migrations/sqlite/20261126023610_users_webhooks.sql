-- Add column "last_session" to table: "users"
ALTER TABLE `users` ADD COLUMN `last_session` text NOT NULL DEFAULT '';
-- Add column "own_full_name" to table: "users"
ALTER TABLE `users` ADD COLUMN `own_full_name` numeric NOT NULL DEFAULT false;
-- Add column "own_avatar_url" to table: "users"
ALTER TABLE `users` ADD COLUMN `own_avatar_url` numeric NOT NULL DEFAULT false;
-- Add column "provider_updated_at" to table: "users_identities"
ALTER TABLE `users_identities` ADD COLUMN `provider_updated_at` datetime NULL;
-- Create "users_webhooks" table
CREATE TABLE `users_webhooks` (
  `id` text NOT NULL,
  `provider` text NOT NULL,
  `event_id` text NOT NULL,
  `type` text NOT NULL,
  `payload` blob NULL,
  `received_at` datetime NOT NULL,
  `processed_at` datetime NULL,
  PRIMARY KEY (`id`)
);
-- Create index "users_webhooks_by_age" to table: "users_webhooks"
CREATE INDEX `users_webhooks_by_age` ON `users_webhooks` (`received_at`);
-- Create index "users_webhooks_by_event" to table: "users_webhooks"
CREATE UNIQUE INDEX `users_webhooks_by_event` ON `users_webhooks` (`provider`, `event_id`);
