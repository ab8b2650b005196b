-- Requests laid aside while whoever sent them proves more. One is used once, by the session it came in, and gone with it:
-- a session that is rotated is another row with the same id, so there is no foreign key.
CREATE TABLE detours (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    site TEXT NOT NULL,
    factors BIGINT NOT NULL,
    fresh_millis BIGINT,
    target BYTEA NOT NULL,
    request BYTEA,
    length BIGINT NOT NULL CHECK (length >= 0),
    used_at BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX detours_by_user ON detours (user_id);
CREATE INDEX detours_by_session ON detours (session_id);
CREATE INDEX detours_by_end ON detours (expires_at);
