-- Passwords somebody had before, by hash: the last few cannot be chosen again. `epoch` is the user's when it was replaced.
CREATE TABLE earlier_passwords (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (user_id, epoch)
);

-- When people changed their passwords of their own accord, as many times as are allowed: what a limit on changes counts.
CREATE TABLE password_changes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (user_id, epoch)
);
