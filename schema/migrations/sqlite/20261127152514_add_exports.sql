-- Create "users_exports" table
CREATE TABLE `users_exports` (
  `id` text NOT NULL,
  `user_id` text NULL,
  `status` text NOT NULL,
  `done` integer NOT NULL,
  `total` integer NOT NULL,
  `object` text NOT NULL,
  `created_at` datetime NOT NULL,
  `expires_at` datetime NULL,
  `due_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
);
-- Create index "users_exports_by_time" to table: "users_exports"
CREATE INDEX `users_exports_by_time` ON `users_exports` (`due_at`);
-- Create index "users_exports_by_owner" to table: "users_exports"
CREATE INDEX `users_exports_by_owner` ON `users_exports` (`user_id`, `created_at`);
