-- Create "ai_calls" table
CREATE TABLE `ai_calls` (
  `id` text NOT NULL,
  `endpoint` text NOT NULL,
  `route` text NOT NULL,
  `requested` text NOT NULL,
  `stream` numeric NOT NULL,
  `provider` text NOT NULL,
  `model` text NOT NULL,
  `attempts` integer NOT NULL,
  `input` integer NOT NULL,
  `cached_read` integer NOT NULL,
  `cached_write` integer NOT NULL,
  `output` integer NOT NULL,
  `reasoning` integer NOT NULL,
  `usage_source` text NOT NULL,
  `cost` integer NOT NULL,
  `cost_known` numeric NOT NULL,
  `price_version` text NOT NULL,
  `started_at` datetime NOT NULL,
  `user_id` text NULL,
  `status` text NOT NULL,
  `finish` text NOT NULL,
  `reason` text NOT NULL,
  `day` text NOT NULL,
  `ended_at` datetime NOT NULL,
  `first_us` integer NOT NULL,
  PRIMARY KEY (`id`)
);
-- Create index "ai_calls_by_day" to table: "ai_calls"
CREATE INDEX `ai_calls_by_day` ON `ai_calls` (`day`);
-- Create index "ai_calls_by_user" to table: "ai_calls"
CREATE INDEX `ai_calls_by_user` ON `ai_calls` (`user_id`, `day`);
-- Create "ai_holds" table
CREATE TABLE `ai_holds` (
  `id` text NOT NULL,
  `endpoint` text NOT NULL,
  `route` text NOT NULL,
  `requested` text NOT NULL,
  `stream` numeric NOT NULL,
  `provider` text NOT NULL,
  `model` text NOT NULL,
  `attempts` integer NOT NULL,
  `input` integer NOT NULL,
  `cached_read` integer NOT NULL,
  `cached_write` integer NOT NULL,
  `output` integer NOT NULL,
  `reasoning` integer NOT NULL,
  `usage_source` text NOT NULL,
  `cost` integer NOT NULL,
  `cost_known` numeric NOT NULL,
  `price_version` text NOT NULL,
  `started_at` datetime NOT NULL,
  `user_id` text NOT NULL,
  `month` text NOT NULL,
  `amount` integer NOT NULL,
  `expires_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
);
-- Create index "ai_holds_by_expiry" to table: "ai_holds"
CREATE INDEX `ai_holds_by_expiry` ON `ai_holds` (`expires_at`);
-- Create index "ai_holds_by_user" to table: "ai_holds"
CREATE INDEX `ai_holds_by_user` ON `ai_holds` (`user_id`);
-- Create "ai_budgets" table
CREATE TABLE `ai_budgets` (
  `user_id` text NOT NULL,
  `month` text NOT NULL,
  `spent` integer NOT NULL,
  `reserved` integer NOT NULL,
  PRIMARY KEY (`user_id`, `month`)
);
