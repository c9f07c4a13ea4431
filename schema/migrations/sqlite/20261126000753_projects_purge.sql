-- Create index "projects_by_deletion" to table: "projects"
CREATE INDEX `projects_by_deletion` ON `projects` (`deleted_at`) WHERE deleted_at IS NOT NULL;
