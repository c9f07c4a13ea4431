-- Create "users_tombstones" table
CREATE TABLE `users_tombstones` (
  `hash` text NOT NULL,
  `registered_at` datetime NULL,
  `buried_at` datetime NOT NULL,
  PRIMARY KEY (`hash`)
);
