-- The first schema. One dialect for SQLite and PostgreSQL: BIGINT, TEXT, BYTEA; times are milliseconds since 1970 (UTC);
-- ids are UUIDs as text. What tells of the past (operations, outbox, audit) has no foreign key to users: it outlives them.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    full_name TEXT NOT NULL,
    email TEXT NOT NULL,
    email_folded TEXT NOT NULL,
    language TEXT,
    state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
    valid_from BIGINT,
    valid_until BIGINT,
    phone BYTEA,
    phone_mac BYTEA,
    password_hash TEXT,
    password_set_at BIGINT,
    password_must_change BIGINT NOT NULL CHECK (password_must_change IN (0, 1)),
    created_at BIGINT NOT NULL,
    last_login_at BIGINT,
    epoch BIGINT NOT NULL
);
CREATE INDEX users_by_name ON users (name_folded, id);

-- User names and mail addresses are one namespace: nobody's name is another's address.
CREATE TABLE user_logins (
    folded TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX user_logins_by_user ON user_logins (user_id);

CREATE TABLE user_groups (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL,
    PRIMARY KEY (user_id, group_name)
);
CREATE INDEX user_groups_by_group ON user_groups (group_name, user_id);

CREATE TABLE user_rights (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    held_right TEXT NOT NULL,
    PRIMARY KEY (user_id, held_right)
);
CREATE INDEX user_rights_by_right ON user_rights (held_right, user_id);

CREATE TABLE second_factors (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    seed BYTEA NOT NULL,
    algorithm TEXT NOT NULL,
    digits BIGINT NOT NULL,
    period_secs BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    last_step BIGINT NOT NULL
);
CREATE INDEX second_factors_by_user ON second_factors (user_id, created_at);

CREATE TABLE lockouts (
    subject TEXT NOT NULL PRIMARY KEY,
    tries BIGINT NOT NULL CHECK (tries >= 0),
    locked_until BIGINT,
    touched_at BIGINT NOT NULL
);
CREATE INDEX lockouts_by_end ON lockouts (locked_until);
CREATE INDEX lockouts_by_touch ON lockouts (touched_at);

CREATE TABLE sessions (
    digest BYTEA NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    stage TEXT NOT NULL CHECK (stage IN ('second-factor', 'enrol', 'change-password', 'live')),
    amr TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    second_factor_at BIGINT,
    created_at BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    address TEXT,
    user_agent TEXT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX sessions_by_use ON sessions (last_seen);

CREATE TABLE operations (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('waiting', 'confirmed', 'sending', 'done', 'denied', 'expired', 'cancelled', 'withdrawn', 'unknown')),
    reason TEXT,
    requester TEXT NOT NULL,
    session_id TEXT NOT NULL,
    requester_epoch BIGINT NOT NULL,
    site TEXT NOT NULL,
    rule_name TEXT NOT NULL,
    rule_version TEXT NOT NULL,
    backend TEXT NOT NULL,
    method TEXT NOT NULL,
    title_en TEXT NOT NULL,
    title_fr TEXT NOT NULL,
    quorum BIGINT NOT NULL CHECK (quorum >= 1),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    tries BIGINT NOT NULL CHECK (tries >= 0),
    captured BYTEA,
    seal BYTEA NOT NULL,
    digest TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    status BIGINT,
    answer BYTEA,
    answer_until BIGINT,
    answer_ticket BYTEA
);
CREATE INDEX operations_by_state ON operations (state, created_at);
CREATE INDEX operations_by_end ON operations (state, expires_at);
CREATE INDEX operations_by_requester ON operations (requester, created_at);
CREATE INDEX operations_by_answer ON operations (answer_until);

CREATE TABLE operation_tokens (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    validator TEXT NOT NULL,
    digest BYTEA NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (operation, validator)
);

CREATE TABLE operation_confirmations (
    operation TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    validator TEXT NOT NULL,
    at BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    PRIMARY KEY (operation, validator)
);

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL CHECK (channel IN ('sms', 'mail')),
    kind TEXT NOT NULL,
    user_id TEXT NOT NULL,
    operation TEXT,
    carries_token BIGINT NOT NULL CHECK (carries_token IN (0, 1)),
    message BYTEA,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'uncertain')),
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    deadline BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    error TEXT
);
CREATE INDEX outbox_by_state ON outbox (state, next_at);
CREATE INDEX outbox_by_operation ON outbox (operation, created_at);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    private BYTEA NOT NULL,
    public_jwk TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    published_until BIGINT
);

-- Marks by which processes on one database learn of each other's changes. `change_head` numbers them in the order of
-- their commits, without gaps, so that a follower misses none.
CREATE TABLE change_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL
);
INSERT INTO change_head (id, seq) VALUES (1, 0);

CREATE TABLE change (
    seq BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL
);
CREATE INDEX change_by_age ON change (at);

-- The audit trail. `audit_head` says where it ends, under a MAC: a line cut off at the end is missed.
CREATE TABLE audit_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    link BYTEA NOT NULL,
    mac BYTEA NOT NULL
);

CREATE TABLE audit (
    seq BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT,
    door TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT,
    target TEXT,
    result TEXT NOT NULL,
    address TEXT,
    request_id TEXT,
    details TEXT NOT NULL,
    link BYTEA NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_subject ON audit (subject, seq);
CREATE INDEX audit_by_target ON audit (target, seq);
CREATE INDEX audit_by_act ON audit (act, seq);

-- Who serves from this database (PostgreSQL; on SQLite a lock on a file says so).
CREATE TABLE lease (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    holder TEXT NOT NULL,
    description TEXT NOT NULL,
    taken_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
