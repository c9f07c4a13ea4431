-- Create "projects_files" table
CREATE TABLE `projects_files` (
  `id` text NOT NULL,
  `project_id` text NOT NULL,
  `owner_id` text NOT NULL,
  `filename` text NOT NULL,
  `type` text NOT NULL,
  `size` integer NOT NULL,
  `object` text NOT NULL,
  `expires_at` datetime NOT NULL,
  `version` integer NOT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
);
-- Create index "projects_files_pending" to table: "projects_files"
CREATE INDEX `projects_files_pending` ON `projects_files` (`expires_at`) WHERE object = '';
-- Create index "projects_files_by_owner" to table: "projects_files"
CREATE INDEX `projects_files_by_owner` ON `projects_files` (`owner_id`, `size`);
-- Create index "projects_files_by_created" to table: "projects_files"
CREATE INDEX `projects_files_by_created` ON `projects_files` (`project_id`, `created_at`, `id`);
-- Create "blob_removals" table
CREATE TABLE `blob_removals` (
  `key` text NOT NULL,
  `due_at` datetime NOT NULL,
  PRIMARY KEY (`key`)
);
-- Create index "blob_removals_by_time" to table: "blob_removals"
CREATE INDEX `blob_removals_by_time` ON `blob_removals` (`due_at`);
