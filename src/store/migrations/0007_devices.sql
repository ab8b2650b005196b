-- Remembered devices. `digest` is of the value the browser holds now. For a moment after a return, `previous` is of the
-- value it held before, and `session` the (sealed) token of the session it got: for its other requests that are on their way.
CREATE TABLE devices (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    epoch BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address TEXT,
    user_agent TEXT NOT NULL,
    previous BYTEA,
    session BYTEA,
    joined_until BIGINT
);
CREATE INDEX devices_by_user ON devices (user_id, created_at);
CREATE INDEX devices_by_end ON devices (expires_at);
CREATE INDEX devices_by_use ON devices (last_seen);
CREATE INDEX devices_by_join ON devices (joined_until);

-- Which device a session belongs to, and whether its browser is to be remembered once the sign-in is whole.
ALTER TABLE sessions ADD COLUMN device_id TEXT;
ALTER TABLE sessions ADD COLUMN remember BIGINT NOT NULL DEFAULT 0 CHECK (remember IN (0, 1));
CREATE INDEX sessions_by_device ON sessions (device_id);
