-- Format 1 of the spool. docs/spool-format.md is its contract; every statement works with SQLite 3.26.
-- Times are integer microseconds since 1970-01-01T00:00:00Z.

-- Limits that every producer honours, and the two version numbers. A missing limit means its default.
CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO setting (name, value) VALUES
    ('format', '1'),            -- the same number as PRAGMA user_version
    ('oldestWriter', '1'),      -- a program of this format or a newer one may write
    ('maxSize', '10737418240'), -- bytes of live pages
    ('maxMessageSize', '16777216'); -- bytes of one body; what RabbitMQ 4 takes without being told otherwise

-- Totals that no other row tells: messages = sqlite_sequence.seq - removed.
CREATE TABLE tally (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO tally (name, value) VALUES ('removed', 0), ('unassigned', 0);

CREATE TABLE server (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    active        INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    paused        INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    connection    TEXT NOT NULL DEFAULT 'disconnected'
                  CHECK (connection IN ('connected', 'reconnecting', 'disconnected', 'blocked', 'paused')),
    since         INTEGER,      -- when the connection state last changed
    endpoint      TEXT,         -- ip:port in use
    exchange      TEXT NOT NULL DEFAULT '',     -- where messages go that name none
    last_error    TEXT,
    last_error_at INTEGER,
    rewind        INTEGER,      -- lowest message made pending again since the feed last looked
    rate          REAL,         -- messages delivered a second, lately
    rate_at       INTEGER,
    pending       INTEGER NOT NULL DEFAULT 0,
    deferred      INTEGER NOT NULL DEFAULT 0,
    held          INTEGER NOT NULL DEFAULT 0,
    rejected      INTEGER NOT NULL DEFAULT 0,
    delivered     INTEGER NOT NULL DEFAULT 0,  -- this one and the next three are totals: removing messages does not lower them
    expired       INTEGER NOT NULL DEFAULT 0,
    cancelled     INTEGER NOT NULL DEFAULT 0,
    unrouted      INTEGER NOT NULL DEFAULT 0
);

-- The body is the last column: reading the others does not read its pages. No status change rewrites a row.
CREATE TABLE message (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL DEFAULT (
                    substr(printf('%012x', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), 1, 8)
                    || '-' || substr(printf('%012x', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), 9, 4)
                    || '-7' || substr(lower(hex(randomblob(2))), 2)
                    || '-' || substr('89ab', 1 + (random() & 3), 1) || substr(lower(hex(randomblob(2))), 2)
                    || '-' || lower(hex(randomblob(6)))
                )
                CHECK (length(id) BETWEEN 1 AND 255 AND id NOT GLOB '*[^A-Za-z0-9._:-]*'),
    exchange    TEXT CHECK (length(CAST(exchange AS BLOB)) <= 255),    -- NULL: the server's own default
    routing_key TEXT NOT NULL DEFAULT '' CHECK (length(CAST(routing_key AS BLOB)) <= 255),
    properties  TEXT NOT NULL DEFAULT '{}',
    expires_at  INTEGER,
    created_at  INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)),
    body        BLOB NOT NULL
);
CREATE UNIQUE INDEX message_id ON message (id);
CREATE INDEX message_expiry ON message (expires_at) WHERE expires_at IS NOT NULL;

-- OR, not IN, wherever a settlement passes: SQLite looks a long IN up in a table of its own, and that was half of what a settlement took.
CREATE TABLE delivery (
    message         INTEGER NOT NULL REFERENCES message (seq),
    server          INTEGER NOT NULL REFERENCES server (id),
    state           TEXT NOT NULL DEFAULT 'pending'
                    CHECK (state = 'delivered' OR state = 'pending' OR state = 'deferred' OR state = 'rejected'
                        OR state = 'held' OR state = 'expired' OR state = 'cancelled'),
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    settled_at      INTEGER,
    endpoint        TEXT,
    reason          TEXT,
    PRIMARY KEY (message, server)
) WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (server, message) WHERE state = 'pending';
CREATE INDEX delivery_deferred ON delivery (server, next_attempt_at) WHERE state = 'deferred';
CREATE INDEX delivery_parked ON delivery (server, state, message) WHERE state = 'deferred' OR state = 'held' OR state = 'rejected';

-- Exchanges that a server refuses just now: their rows stay as they are, and wait.
CREATE TABLE suspension (
    server        INTEGER NOT NULL REFERENCES server (id),
    exchange      TEXT NOT NULL,
    reason        TEXT NOT NULL,
    since         INTEGER NOT NULL,
    next_probe_at INTEGER NOT NULL,     -- 0: an operator wants a probe now
    PRIMARY KEY (server, exchange)
) WITHOUT ROWID;

-- Messages accepted while no server was active, until the agent assigns them.
CREATE TABLE unassigned (
    message INTEGER PRIMARY KEY
);

-- INSERT OR REPLACE would delete the old message and leave its delivery rows behind.
CREATE TRIGGER message_never_replaced BEFORE INSERT ON message
WHEN EXISTS (SELECT 1 FROM message WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'a message with this id is already in the spool');
END;

-- The fan-out: one row for every active server, in the producer's own transaction.
CREATE TRIGGER message_fan_out AFTER INSERT ON message
BEGIN
    INSERT INTO delivery (message, server) SELECT NEW.seq, id FROM server WHERE active = 1;
    UPDATE server SET pending = pending + 1 WHERE active = 1;
END;

CREATE TRIGGER message_unassigned AFTER INSERT ON message
WHEN NOT EXISTS (SELECT 1 FROM server WHERE active = 1)
BEGIN
    INSERT INTO unassigned (message) VALUES (NEW.seq);
    UPDATE tally SET value = value + 1 WHERE name = 'unassigned';
END;

-- A feed that is already past the message looks back.
CREATE TRIGGER delivery_rewind AFTER UPDATE OF state ON delivery
WHEN NEW.state = 'pending' AND OLD.state <> 'pending'
BEGIN
    UPDATE server SET rewind = NEW.message WHERE id = NEW.server AND (rewind IS NULL OR rewind > NEW.message);
END;
