-- Add column "token_role" to table: "users"
ALTER TABLE `users` ADD COLUMN `token_role` text NOT NULL DEFAULT '';
