-- Create "projects" table
CREATE TABLE "projects" (
  "id" text NOT NULL COLLATE "C",
  "owner_id" text NOT NULL COLLATE "C",
  "name" text NOT NULL,
  "name_folded" text NOT NULL COLLATE "C",
  "description" text NULL,
  "version" bigint NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "deleted_at" timestamptz NULL,
  PRIMARY KEY ("id")
);
-- Create index "projects_by_created" to table: "projects"
CREATE INDEX "projects_by_created" ON "projects" ("owner_id", "created_at", "id");
-- Create index "projects_by_name" to table: "projects"
CREATE INDEX "projects_by_name" ON "projects" ("owner_id", "name_folded", "id") WHERE (deleted_at IS NULL);
-- Create "users" table
CREATE TABLE "users" (
  "id" text NOT NULL COLLATE "C",
  "email" text NULL,
  "email_verified" boolean NOT NULL,
  "full_name" text NULL,
  "avatar_url" text NULL,
  "role" text NOT NULL,
  "is_active" boolean NOT NULL,
  "stripe_customer_id" text NULL,
  "subscription_status" text NULL,
  "subscription_plan" text NULL,
  "last_login_at" timestamptz NULL,
  "login_count" bigint NOT NULL,
  "version" bigint NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "deleted_at" timestamptz NULL,
  PRIMARY KEY ("id")
);
-- Create index "users_by_email" to table: "users"
CREATE INDEX "users_by_email" ON "users" ("email");
-- Create index "users_by_stripe_customer" to table: "users"
CREATE INDEX "users_by_stripe_customer" ON "users" ("stripe_customer_id");
-- Create "users_identities" table
CREATE TABLE "users_identities" (
  "issuer" text NOT NULL COLLATE "C",
  "subject" text NOT NULL COLLATE "C",
  "user_id" text NULL COLLATE "C",
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("issuer", "subject"),
  CONSTRAINT "fk_users_identities_user" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON UPDATE NO ACTION ON DELETE CASCADE
);
-- Create index "users_identities_by_user" to table: "users_identities"
CREATE INDEX "users_identities_by_user" ON "users_identities" ("user_id");
