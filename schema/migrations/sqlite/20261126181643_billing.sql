-- Add column "billing_version" to table: "users"
ALTER TABLE `users` ADD COLUMN `billing_version` integer NOT NULL DEFAULT 0;
-- Create "billing_accounts" table
CREATE TABLE `billing_accounts` (
  `user_id` text NOT NULL,
  `customer_id` text NULL,
  `customers` integer NOT NULL,
  `subscription_id` text NULL,
  `status` text NULL,
  `price_id` text NULL,
  `amount` integer NULL,
  `currency` text NULL,
  `period_start` datetime NULL,
  `period_end` datetime NULL,
  `cancel_at_period_end` numeric NULL,
  `trial_end` datetime NULL,
  `subscription_created_at` datetime NULL,
  `subscription_ended_at` datetime NULL,
  `plan` text NOT NULL,
  `interval` text NULL,
  `extra` integer NOT NULL,
  `due_since` datetime NULL,
  `had_trial` numeric NOT NULL,
  `trial_told` datetime NULL,
  `asked` integer NOT NULL,
  `applied` integer NOT NULL,
  `version` integer NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  PRIMARY KEY (`user_id`)
);
-- Create index "billing_accounts_by_customer" to table: "billing_accounts"
CREATE UNIQUE INDEX `billing_accounts_by_customer` ON `billing_accounts` (`customer_id`) WHERE customer_id IS NOT NULL;
-- Create index "billing_accounts_live" to table: "billing_accounts"
CREATE INDEX `billing_accounts_live` ON `billing_accounts` (`user_id`) WHERE status <> 'canceled' AND status <> 'incomplete_expired';
-- Create "billing_invoices" table
CREATE TABLE `billing_invoices` (
  `id` text NOT NULL,
  `user_id` text NOT NULL,
  `subscription_id` text NULL,
  `number` text NULL,
  `status` text NOT NULL,
  `due` integer NOT NULL,
  `paid` integer NOT NULL,
  `refunded` integer NOT NULL,
  `currency` text NOT NULL,
  `attempts` integer NOT NULL,
  `next_attempt_at` datetime NULL,
  `url` text NULL,
  `created_at` datetime NOT NULL,
  `told` integer NOT NULL,
  PRIMARY KEY (`id`)
);
-- Create index "billing_invoices_by_user" to table: "billing_invoices"
CREATE INDEX `billing_invoices_by_user` ON `billing_invoices` (`user_id`, `created_at`, `id`);
-- Create "billing_webhooks" table
CREATE TABLE `billing_webhooks` (
  `id` text NOT NULL,
  `type` text NOT NULL,
  `customer_id` text NULL,
  `seen` integer NOT NULL,
  `received_at` datetime NOT NULL,
  `processed_at` datetime NULL,
  PRIMARY KEY (`id`)
);
-- Create index "billing_webhooks_by_age" to table: "billing_webhooks"
CREATE INDEX `billing_webhooks_by_age` ON `billing_webhooks` (`received_at`, `id`);
-- Create "projects_plans" table
CREATE TABLE `projects_plans` (
  `owner_id` text NOT NULL,
  `plan` text NOT NULL,
  `version` integer NOT NULL,
  PRIMARY KEY (`owner_id`)
);
