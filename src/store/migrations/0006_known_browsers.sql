-- Browsers from which somebody has fully signed in: their wrong tries are counted apart from strangers'.
CREATE TABLE known_browsers (
    digest BYTEA NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (digest, user_id)
);
CREATE INDEX known_browsers_by_user ON known_browsers (user_id, seen_at);
CREATE INDEX known_browsers_by_age ON known_browsers (seen_at);
