-- Create "idempotency_keys" table
CREATE TABLE `idempotency_keys` (
  `id` text NOT NULL,
  `user_id` text NOT NULL,
  `about` text NOT NULL,
  `fingerprint` text NOT NULL,
  `outside` text NOT NULL,
  `lease_until` datetime NULL,
  `status` integer NOT NULL,
  `headers` text NOT NULL,
  `body` blob NULL,
  `created_at` datetime NOT NULL,
  `expires_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
);
-- Create index "idempotency_keys_by_end" to table: "idempotency_keys"
CREATE INDEX `idempotency_keys_by_end` ON `idempotency_keys` (`expires_at`);
-- Create index "idempotency_keys_about" to table: "idempotency_keys"
CREATE INDEX `idempotency_keys_about` ON `idempotency_keys` (`about`);
-- Create index "idempotency_keys_by_user" to table: "idempotency_keys"
CREATE INDEX `idempotency_keys_by_user` ON `idempotency_keys` (`user_id`);
