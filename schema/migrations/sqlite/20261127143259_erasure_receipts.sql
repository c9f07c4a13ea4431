-- Create "erasure_receipts" table
CREATE TABLE `erasure_receipts` (
  `id` text NOT NULL,
  `person` text NOT NULL,
  `module` text NOT NULL,
  `pass` text NOT NULL,
  `counts` text NOT NULL,
  `erased_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
);
-- Create index "erasure_receipts_by_time" to table: "erasure_receipts"
CREATE INDEX `erasure_receipts_by_time` ON `erasure_receipts` (`erased_at`);
-- Create index "erasure_receipts_by_person" to table: "erasure_receipts"
CREATE UNIQUE INDEX `erasure_receipts_by_person` ON `erasure_receipts` (`person`, `module`, `pass`);
