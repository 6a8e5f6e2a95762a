//! Migrations as teams write them with the usual tools, and what the release before makes of each.

use prodpin_schema::Dialect::{self, Mariadb, Mssql, Mysql, Postgres, Sqlite};
use prodpin_schema::Verdict::{Caution, Contract, Data, Expand, None, Unknown};
use prodpin_schema::{Source, Verdict, classify};

const PG: &str = "CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE TYPE order_status AS ENUM ('new', 'paid', 'sent');
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL, name varchar(100), created_at timestamptz NOT NULL DEFAULT now());
CREATE UNIQUE INDEX users_email_key ON users (email);
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE, status order_status NOT NULL DEFAULT 'new', total numeric(10,2) NOT NULL, note text);
CREATE INDEX orders_user_id_idx ON orders (user_id);
CREATE FUNCTION set_updated_at() RETURNS trigger AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END; $$ LANGUAGE plpgsql;
CREATE VIEW open_orders AS SELECT id, user_id, total FROM orders WHERE status <> 'sent';";

const MY: &str = "CREATE TABLE `users` (`id` bigint unsigned NOT NULL AUTO_INCREMENT, `email` varchar(191) NOT NULL, `name` varchar(100) DEFAULT NULL, `created_at` timestamp NULL DEFAULT NULL, PRIMARY KEY (`id`), UNIQUE KEY `users_email_unique` (`email`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
CREATE TABLE `orders` (`id` bigint unsigned NOT NULL AUTO_INCREMENT, `user_id` bigint unsigned NOT NULL, `state` enum('new','paid') NOT NULL DEFAULT 'new', `total` decimal(10,2) NOT NULL, PRIMARY KEY (`id`), KEY `orders_user` (`user_id`), CONSTRAINT `orders_user_fk` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)) ENGINE=InnoDB;";

const LITE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, name TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), total REAL NOT NULL DEFAULT 0);
CREATE INDEX orders_user ON orders (user_id);";

const MS: &str = "CREATE TABLE [dbo].[Users] ([Id] int IDENTITY(1,1) NOT NULL, [Email] nvarchar(256) NOT NULL, [Name] nvarchar(100) NULL, CONSTRAINT [PK_Users] PRIMARY KEY CLUSTERED ([Id] ASC));
GO
CREATE TABLE [dbo].[Orders] ([Id] int IDENTITY(1,1) NOT NULL PRIMARY KEY, [UserId] int NOT NULL, [Total] decimal(10,2) NOT NULL);
GO";

type Row<'a> = (Dialect, &'a str, &'a str, Verdict);

#[rustfmt::skip]
const ROWS: &[Row<'_>] = &[
    // Prisma
    (Postgres, PG, "-- AlterTable\nALTER TABLE \"users\" ADD COLUMN     \"bio\" TEXT;", Expand),
    (Postgres, PG, "/*\n  Warnings:\n\n  - You are about to drop the column `note` on the `orders` table. All the data in the column will be lost.\n\n*/\n-- AlterTable\nALTER TABLE \"orders\" DROP COLUMN \"note\";", Contract),
    (Postgres, PG, "-- CreateEnum\nCREATE TYPE \"Role\" AS ENUM ('USER', 'ADMIN');\n\n-- AlterTable\nALTER TABLE \"users\" ADD COLUMN     \"role\" \"Role\" NOT NULL DEFAULT 'USER';", Expand),
    (Postgres, PG, "-- CreateTable\nCREATE TABLE \"Session\" (\n    \"id\" TEXT NOT NULL,\n    \"userId\" UUID NOT NULL,\n    \"expires\" TIMESTAMP(3) NOT NULL,\n\n    CONSTRAINT \"Session_pkey\" PRIMARY KEY (\"id\")\n);\n\n-- AddForeignKey\nALTER TABLE \"Session\" ADD CONSTRAINT \"Session_userId_fkey\" FOREIGN KEY (\"userId\") REFERENCES \"users\"(\"id\") ON DELETE CASCADE ON UPDATE CASCADE;", Expand),
    (Postgres, PG, "-- CreateTable\nCREATE TABLE \"Post\" (\"id\" SERIAL NOT NULL, \"authorId\" UUID NOT NULL, CONSTRAINT \"Post_pkey\" PRIMARY KEY (\"id\"));\n-- AddForeignKey\nALTER TABLE \"Post\" ADD CONSTRAINT \"Post_authorId_fkey\" FOREIGN KEY (\"authorId\") REFERENCES \"users\"(\"id\") ON DELETE RESTRICT ON UPDATE CASCADE;", Caution),
    (Postgres, PG, "-- AlterEnum\nALTER TYPE \"order_status\" ADD VALUE 'returned';", Caution),
    (Postgres, PG, "-- AlterEnum\nBEGIN;\nCREATE TYPE \"order_status_new\" AS ENUM ('new', 'paid');\nALTER TABLE \"orders\" ALTER COLUMN \"status\" DROP DEFAULT;\nALTER TABLE \"orders\" ALTER COLUMN \"status\" TYPE \"order_status_new\" USING (\"status\"::text::\"order_status_new\");\nALTER TYPE \"order_status\" RENAME TO \"order_status_old\";\nALTER TYPE \"order_status_new\" RENAME TO \"order_status\";\nDROP TYPE \"order_status_old\";\nALTER TABLE \"orders\" ALTER COLUMN \"status\" SET DEFAULT 'new';\nCOMMIT;", Contract),
    (Mysql, MY, "-- AlterTable\nALTER TABLE `users` ADD COLUMN `bio` VARCHAR(191) NULL,\n    MODIFY `name` VARCHAR(191) NULL;", Caution),
    (Mysql, MY, "-- DropIndex\nDROP INDEX `orders_user` ON `orders`;", Expand),
    (Sqlite, LITE, "-- RedefineTables\nPRAGMA defer_foreign_keys=ON;\nPRAGMA foreign_keys=OFF;\nCREATE TABLE \"new_users\" (\n    \"id\" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,\n    \"email\" TEXT NOT NULL,\n    \"name\" TEXT,\n    \"age\" INTEGER\n);\nINSERT INTO \"new_users\" (\"email\", \"id\", \"name\") SELECT \"email\", \"id\", \"name\" FROM \"users\";\nDROP TABLE \"users\";\nALTER TABLE \"new_users\" RENAME TO \"users\";\nCREATE UNIQUE INDEX \"users_email_key\" ON \"users\"(\"email\");\nPRAGMA foreign_keys=ON;\nPRAGMA defer_foreign_keys=OFF;", Expand),
    // Drizzle
    (Postgres, PG, "CREATE TABLE \"tags\" (\n\t\"id\" serial PRIMARY KEY NOT NULL,\n\t\"name\" varchar(256) NOT NULL\n);\n--> statement-breakpoint\nALTER TABLE \"users\" ADD COLUMN \"tag_id\" integer;--> statement-breakpoint\nALTER TABLE \"users\" ADD CONSTRAINT \"users_tag_id_tags_id_fk\" FOREIGN KEY (\"tag_id\") REFERENCES \"public\".\"tags\"(\"id\") ON DELETE no action ON UPDATE no action;", Expand),
    (Postgres, PG, "DO $$ BEGIN\n ALTER TABLE \"orders\" ADD CONSTRAINT \"x_fk\" FOREIGN KEY (\"user_id\") REFERENCES \"users\"(\"id\") ON DELETE no action;\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;", Contract),
    (Sqlite, LITE, "ALTER TABLE `users` ADD `avatar` text;", Expand),
    (Sqlite, LITE, "ALTER TABLE `users` RENAME COLUMN \"name\" TO \"full_name\";", Contract),
    // Flyway
    (Postgres, PG, "SET lock_timeout = '5s';\nALTER TABLE users ADD COLUMN IF NOT EXISTS locale varchar(10) NOT NULL DEFAULT 'en';\nCOMMENT ON COLUMN users.locale IS 'BCP 47';", Expand),
    (Postgres, PG, "ALTER TABLE users ADD COLUMN locale varchar(10);\nUPDATE users SET locale = 'en';\nALTER TABLE users ALTER COLUMN locale SET NOT NULL;", Contract),
    (Postgres, PG, "ALTER TABLE users ADD COLUMN locale varchar(10) DEFAULT 'en';\nUPDATE users SET locale = COALESCE(locale, 'en');\nALTER TABLE users ALTER COLUMN locale SET NOT NULL;", Expand),
    (Postgres, PG, "CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_orders_status ON orders (status) WHERE status <> 'sent';", Expand),
    (Postgres, PG, "INSERT INTO users (email, name) VALUES ('root@example.com', 'root') ON CONFLICT (email) DO NOTHING;", Expand),
    (Postgres, PG, "INSERT INTO users (email, name) VALUES ('root@example.com', 'root') ON CONFLICT (email) DO UPDATE SET name = EXCLUDED.name;", Data),
    (Mssql, MS, "ALTER TABLE [dbo].[Users] ADD [Phone] nvarchar(32) NULL;\nGO\nCREATE NONCLUSTERED INDEX [IX_Users_Email] ON [dbo].[Users] ([Email] ASC);\nGO", Expand),
    // golang-migrate
    (Postgres, PG, "BEGIN;\n\nALTER TABLE orders ADD COLUMN currency char(3) NOT NULL DEFAULT 'EUR';\nCREATE TABLE payments (\n  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n  order_id bigint NOT NULL REFERENCES orders(id) ON DELETE CASCADE,\n  amount numeric(10,2) NOT NULL CHECK (amount > 0)\n);\n\nCOMMIT;", Expand),
    (Postgres, PG, "DROP TABLE IF EXISTS orders CASCADE;", Contract),
    (Mysql, MY, "ALTER TABLE orders ADD COLUMN currency char(3) NOT NULL DEFAULT 'EUR' AFTER total, ADD INDEX idx_currency (currency), ALGORITHM=INPLACE, LOCK=NONE;", Expand),
    (Mysql, MY, "RENAME TABLE `orders` TO `purchases`;", Contract),
    // goose: a function and its trigger
    (Postgres, PG, "ALTER TABLE users ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();\nCREATE TRIGGER users_updated BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION set_updated_at();", Unknown),
    (Postgres, PG, "CREATE TABLE audit (id bigserial PRIMARY KEY, updated_at timestamptz);\nCREATE TRIGGER audit_updated BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION set_updated_at();", Expand),
    (Postgres, PG, "CREATE OR REPLACE FUNCTION slugify(value text) RETURNS text AS $$\n  SELECT lower(regexp_replace(value, '[^a-z0-9]+', '-', 'gi'));\n$$ LANGUAGE sql IMMUTABLE STRICT;", Expand),
    (Postgres, PG, "CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger AS $$ BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END; $$ LANGUAGE plpgsql;", Unknown),
    // Rails, as db/structure.sql and as rendered
    (Postgres, PG, "ALTER TABLE \"users\" ADD \"admin\" boolean DEFAULT FALSE NOT NULL", Expand),
    (Postgres, PG, "ALTER TABLE \"users\" ALTER COLUMN \"name\" TYPE text;", Caution),
    (Postgres, PG, "ALTER TABLE \"users\" ALTER COLUMN \"name\" SET NOT NULL;", Contract),
    (Postgres, PG, "ALTER TABLE users ADD CONSTRAINT name_present CHECK (name IS NOT NULL) NOT VALID;", Contract),
    // Django, as sqlmigrate renders it
    (Postgres, PG, "BEGIN;\n--\n-- Add field nick to user\n--\nALTER TABLE \"users\" ADD COLUMN \"nick\" varchar(50) DEFAULT '' NOT NULL;\nALTER TABLE \"users\" ALTER COLUMN \"nick\" DROP DEFAULT;\nCOMMIT;", Contract),
    (Postgres, PG, "BEGIN;\n--\n-- Add field referrer to user\n--\nALTER TABLE \"users\" ADD COLUMN \"referrer_id\" uuid NULL CONSTRAINT \"users_referrer_id_fk\" REFERENCES \"users\"(\"id\") DEFERRABLE INITIALLY DEFERRED; SET CONSTRAINTS \"users_referrer_id_fk\" IMMEDIATE;\nCREATE INDEX \"users_referrer_id_1\" ON \"users\" (\"referrer_id\");\nCOMMIT;", Caution),
    (Sqlite, LITE, "BEGIN;\n--\n-- Add field active to user\n--\nCREATE TABLE \"new__users\" (\"id\" integer NOT NULL PRIMARY KEY AUTOINCREMENT, \"email\" text NOT NULL UNIQUE, \"name\" text NULL, \"active\" bool NOT NULL);\nINSERT INTO \"new__users\" (\"id\", \"email\", \"name\", \"active\") SELECT \"id\", \"email\", \"name\", 1 FROM \"users\";\nDROP TABLE \"users\";\nALTER TABLE \"new__users\" RENAME TO \"users\";\nCOMMIT;", Contract),
    // Alembic, as --sql renders it
    (Postgres, PG, "BEGIN;\n\n-- Running upgrade a1 -> b2\n\nALTER TABLE orders ADD COLUMN shipped_at TIMESTAMP WITHOUT TIME ZONE;\n\nUPDATE alembic_version SET version_num='b2' WHERE alembic_version.version_num = 'a1';\n\nCOMMIT;", Data),
    // Laravel
    (Mysql, MY, "alter table `users` add `phone` varchar(20) null after `email`;\nalter table `users` add unique `users_phone_unique`(`phone`);", Expand),
    (Mysql, MY, "alter table `orders` drop foreign key `orders_user_fk`;", Caution),
    (Mysql, MY, "alter table `orders` modify `state` enum('new','paid','sent') not null default 'new';", Caution),
    (Mysql, MY, "alter table `users` modify `email` varchar(100) not null;", Contract),
    // TypeORM, Knex, Sequelize in raw SQL
    (Postgres, PG, "ALTER TABLE \"users\" ADD \"deletedAt\" TIMESTAMP; CREATE INDEX \"IDX_1\" ON \"users\" (\"deletedAt\")", Expand),
    (Postgres, PG, "ALTER TABLE \"orders\" DROP CONSTRAINT \"orders_user_id_fkey\"; ALTER TABLE \"orders\" ADD CONSTRAINT \"FK_1\" FOREIGN KEY (\"user_id\") REFERENCES \"users\"(\"id\") ON DELETE CASCADE ON UPDATE NO ACTION;", Expand),
    (Postgres, PG, "alter table \"orders\" alter column \"total\" type numeric(12, 2) using (\"total\"::numeric(12, 2));", Caution),
    (Postgres, PG, "ALTER TABLE \"users\" ADD \"slug\" character varying; UPDATE \"users\" SET \"slug\" = lower(replace(name, ' ', '-')); CREATE UNIQUE INDEX \"users_slug\" ON \"users\" (\"slug\");", Expand),
    // Entity Framework
    (Mssql, MS, "BEGIN TRANSACTION;\nGO\n\nALTER TABLE [Orders] ADD [Currency] nvarchar(3) NOT NULL DEFAULT N'EUR';\nGO\n\nCOMMIT;\nGO", Expand),
    (Mssql, MS, "DECLARE @var0 sysname;\nSELECT @var0 = [d].[name] FROM [sys].[default_constraints] [d];\nIF @var0 IS NOT NULL EXEC(N'ALTER TABLE [Users] DROP CONSTRAINT [' + @var0 + '];');\nALTER TABLE [Users] DROP COLUMN [Name];\nGO", Contract),
    (Mssql, MS, "EXEC sp_rename N'[Users].[Name]', N'FullName', N'COLUMN';\nGO", Contract),
    (Mssql, MS, "IF NOT EXISTS (SELECT 1 FROM sys.columns WHERE object_id = OBJECT_ID(N'[dbo].[Users]') AND name = N'Phone')\nBEGIN\n    ALTER TABLE [dbo].[Users] ADD [Phone] nvarchar(32) NULL;\nEND\nGO", Expand),
    (Mssql, MS, "CREATE OR ALTER PROCEDURE [dbo].[TopUsers] AS\nBEGIN\n  SET NOCOUNT ON;\n  SELECT TOP 10 * FROM [dbo].[Users];\nEND\nGO", Expand),
    // Supabase
    (Postgres, PG, "alter table users enable row level security;\ncreate policy \"own\" on users for select using (auth.uid() = id);", Contract),
    (Postgres, PG, "create table if not exists public.profiles (\n  id uuid references public.users on delete cascade primary key,\n  avatar_url text\n);\nalter table public.profiles enable row level security;\ncreate policy \"own profile\" on public.profiles for all using (true);\ngrant all on table public.profiles to authenticated;", Expand),
    // Liquibase
    (Postgres, PG, "--liquibase formatted sql\n--changeset ann:2 context:prod\nALTER TABLE orders ADD COLUMN sent_at timestamptz;\n--rollback ALTER TABLE orders DROP COLUMN sent_at;\n", Expand),
    // MariaDB
    (Mariadb, MY, "ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text DEFAULT NULL;", Expand),
    (Mariadb, MY, "ALTER TABLE users CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;", Contract),
    // Procedures that are dropped and made anew
    (Mysql, MY, "DROP PROCEDURE IF EXISTS add_col;\nDELIMITER $$\nCREATE PROCEDURE add_col()\nBEGIN\n  IF NOT EXISTS (SELECT 1 FROM information_schema.columns WHERE column_name = 'x') THEN\n    ALTER TABLE users ADD x int;\n  END IF;\nEND$$\nDELIMITER ;\nCALL add_col();\nDROP PROCEDURE add_col;", Unknown),
    (Mysql, MY, "SET @sql = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE users ADD x int', 'SELECT 1') FROM information_schema.columns);\nPREPARE st FROM @sql;\nEXECUTE st;\nDEALLOCATE PREPARE st;", Unknown),
    // Views, sequences, rights
    (Postgres, PG, "CREATE OR REPLACE VIEW open_orders AS SELECT id, user_id, total, note FROM orders WHERE status <> 'sent';", Expand),
    (Postgres, PG, "DROP VIEW open_orders;\nCREATE VIEW open_orders AS SELECT id, user_id, total, note FROM orders WHERE status <> 'sent';", Contract),
    (Postgres, PG, "REVOKE ALL ON orders FROM app;", Contract),
    (Postgres, PG, "CREATE SEQUENCE invoice_no START WITH 1000;\nGRANT USAGE ON SEQUENCE invoice_no TO app;", Expand),
    (Postgres, PG, "CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) AS total, count(*) AS n FROM orders GROUP BY user_id;\nCREATE UNIQUE INDEX ON totals (user_id);", Expand),
    (Postgres, PG, "DELETE FROM orders WHERE status = 'sent' AND id < 100;", Data),
    (Postgres, PG, "ALTER TABLE users ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(name, ''))) STORED;\nCREATE INDEX users_search ON users USING gin (search);", Caution),
    (Postgres, PG, "ANALYZE orders;\nVACUUM (ANALYZE) users;\nREINDEX INDEX CONCURRENTLY orders_user_id_idx;", None),
];

#[test]
fn migrations_of_the_usual_tools() {
    assert!(ROWS.len() >= 60, "{}", ROWS.len());
    let mut wrong = Vec::new();
    for (dialect, base, change, expected) in ROWS {
        let report =
            classify(*dialect, &[Source { file: "1.sql", text: base }], &[Source { file: "2.sql", text: change }]);
        if report.verdict != *expected {
            let told: Vec<_> =
                report.findings.iter().map(|it| format!("{} {}: {}", it.verdict, it.object, it.why)).collect();
            wrong.push(format!("{dialect}: {change}\n  expected {expected}, answered {}: {told:#?}", report.verdict));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
