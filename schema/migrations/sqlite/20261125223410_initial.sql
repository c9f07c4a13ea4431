-- Create "users" table
CREATE TABLE `users` (
  `id` text NOT NULL,
  `email` text NULL,
  `email_verified` numeric NOT NULL,
  `full_name` text NULL,
  `avatar_url` text NULL,
  `role` text NOT NULL,
  `is_active` numeric NOT NULL,
  `stripe_customer_id` text NULL,
  `subscription_status` text NULL,
  `subscription_plan` text NULL,
  `last_login_at` datetime NULL,
  `login_count` integer NOT NULL,
  `version` integer NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `deleted_at` datetime NULL,
  PRIMARY KEY (`id`)
);
-- Create index "users_by_stripe_customer" to table: "users"
CREATE INDEX `users_by_stripe_customer` ON `users` (`stripe_customer_id`);
-- Create index "users_by_email" to table: "users"
CREATE INDEX `users_by_email` ON `users` (`email`);
-- Create "users_identities" table
CREATE TABLE `users_identities` (
  `issuer` text NOT NULL,
  `subject` text NOT NULL,
  `user_id` text NULL,
  `created_at` datetime NOT NULL,
  PRIMARY KEY (`issuer`, `subject`),
  CONSTRAINT `fk_users_identities_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON UPDATE NO ACTION ON DELETE CASCADE
);
-- Create index "users_identities_by_user" to table: "users_identities"
CREATE INDEX `users_identities_by_user` ON `users_identities` (`user_id`);
-- Create "projects" table
CREATE TABLE `projects` (
  `id` text NOT NULL,
  `owner_id` text NOT NULL,
  `name` text NOT NULL,
  `name_folded` text NOT NULL,
  `description` text NULL,
  `version` integer NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  `deleted_at` datetime NULL,
  PRIMARY KEY (`id`)
);
-- Create index "projects_by_name" to table: "projects"
CREATE INDEX `projects_by_name` ON `projects` (`owner_id`, `name_folded`, `id`) WHERE deleted_at IS NULL;
-- Create index "projects_by_created" to table: "projects"
CREATE INDEX `projects_by_created` ON `projects` (`owner_id`, `created_at`, `id`);
