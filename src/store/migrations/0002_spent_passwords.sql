-- A temporary password begins one sign-in: whether it has.
ALTER TABLE users ADD COLUMN password_spent BIGINT NOT NULL DEFAULT 0 CHECK (password_spent IN (0, 1));
