-- Version 1 of the journal. The version is the database's user_version, the application id
-- says that the file is ours. A change here is a new version and a migration.

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,              -- what resumes it, as typed
    settings TEXT NOT NULL,             -- JSON: target and checks, never a secret
    started_at REAL NOT NULL,           -- seconds since 1970, UTC
    ended_at REAL,
    summary TEXT                        -- the summary JSON, once the run has ended
);

CREATE TABLE specification (
    name TEXT PRIMARY KEY,
    payload TEXT NOT NULL,
    origin TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE cell (
    spec TEXT NOT NULL,
    cell TEXT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (spec, cell)
) WITHOUT ROWID;

-- One row a measurement. Everything right of "recipe" follows from the events and is kept
-- here, in the same transaction, so that nothing has to be replayed to be asked.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    spec TEXT NOT NULL,
    cell TEXT NOT NULL,
    measurement TEXT NOT NULL,
    path TEXT NOT NULL,
    payload TEXT NOT NULL,
    plan_run INTEGER NOT NULL,          -- the last run whose plan holds it
    recipe TEXT NOT NULL,               -- digest of all that decides what preparing gives
    state TEXT NOT NULL,
    cause TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    has_given_up INTEGER NOT NULL DEFAULT 0,
    instance_id TEXT,
    measurement_id TEXT,
    rows INTEGER,
    size_bytes INTEGER,
    sha256 TEXT,
    content_digest TEXT,
    source_bytes INTEGER,
    source_mtime_ns INTEGER,
    stored_id TEXT,                     -- the measurement id under which bytes were stored,
    stored_rows INTEGER,                -- and what they were
    stored_digest TEXT,
    stored_source_bytes INTEGER,
    stored_source_mtime_ns INTEGER,
    is_extending INTEGER NOT NULL DEFAULT 0,  -- rows were appended and are not processed yet
    raw_data_id TEXT,                   -- the original file, where it was attached
    source_sha256 TEXT,
    warnings TEXT NOT NULL DEFAULT '[]',      -- JSON: code and message of each
    summary TEXT,                             -- JSON: what the campaign checks need
    changes TEXT NOT NULL DEFAULT '[]',       -- JSON: transforms that changed something
    ready_updated_at TEXT,              -- what Studio said when it had processed the record
    UNIQUE (spec, cell, measurement)
);
CREATE INDEX job_by_state ON job (plan_run, state, cause);

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job (id),
    run INTEGER NOT NULL REFERENCES run (id),
    at REAL NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL
);
CREATE INDEX event_by_job ON event (job);

CREATE TABLE skip (
    location TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    plan_run INTEGER NOT NULL
) WITHOUT ROWID;

-- Specifications, batches and instances that this job folder made: what a rollback may undo.
CREATE TABLE parent (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    parent_id TEXT,
    updated_at TEXT,                    -- what Studio said when it had made it
    run INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- Raw files in Studio by their content: a file that feeds several measurements goes once.
CREATE TABLE raw_data (
    sha256 TEXT PRIMARY KEY,
    raw_data_id TEXT NOT NULL
) WITHOUT ROWID;
