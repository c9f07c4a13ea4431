-- Create "users_api_keys" table
CREATE TABLE `users_api_keys` (
  `id` text NOT NULL,
  `user_id` text NOT NULL,
  `name` text NOT NULL,
  `scopes` text NOT NULL,
  `prefix` text NOT NULL,
  `hash` text NOT NULL,
  `created_at` datetime NOT NULL,
  `expires_at` datetime NULL,
  `last_used_at` datetime NULL,
  `revoked_at` datetime NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `fk_users_api_keys_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON UPDATE NO ACTION ON DELETE CASCADE
);
-- Create index "users_api_keys_by_hash" to table: "users_api_keys"
CREATE UNIQUE INDEX `users_api_keys_by_hash` ON `users_api_keys` (`hash`);
-- Create index "users_api_keys_by_owner" to table: "users_api_keys"
CREATE INDEX `users_api_keys_by_owner` ON `users_api_keys` (`user_id`, `created_at`, `id`);
