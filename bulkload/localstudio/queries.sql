-- Every statement of the local Studio, each under its name. One table holds all resources:
-- what differs between them is in the JSON of `body`, what is searched has a column.

-- name: schema
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
-- Survives the death of the process; a power cut may cost the last moments of a rehearsal.
PRAGMA synchronous = NORMAL;
PRAGMA temp_store = MEMORY;
BEGIN EXCLUSIVE;
CREATE TABLE IF NOT EXISTS record (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    -- The parent: the name is unique within it, and it takes its children along when deleted.
    scope TEXT NOT NULL,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The name as uniqueness compares it; NULL where names may repeat.
    name_key TEXT,
    -- A second record that this one points to: the lot of an instance, the channel of a run.
    ref TEXT,
    start_time TEXT,
    -- Life cycle of processing; NULL for all but measurements.
    status TEXT,
    error TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS record_name ON record (kind, scope, name_key);
CREATE INDEX IF NOT EXISTS record_children ON record (scope, kind, seq);
CREATE INDEX IF NOT EXISTS record_project ON record (project, kind, seq);
CREATE INDEX IF NOT EXISTS record_ref ON record (ref) WHERE ref IS NOT NULL;
CREATE INDEX IF NOT EXISTS record_unsettled ON record (status) WHERE status IN ('pending', 'running');
CREATE TABLE IF NOT EXISTS upload (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    name_key TEXT,
    created_at REAL NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS link (
    measurement TEXT NOT NULL,
    raw TEXT NOT NULL,
    PRIMARY KEY (measurement, raw)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS link_raw ON link (raw);
-- The spelling under which a tag was first used in a project.
CREATE TABLE IF NOT EXISTS tag (
    project TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    spelling TEXT NOT NULL,
    PRIMARY KEY (project, tag_key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
COMMIT;

-- name: fact_get
SELECT value FROM fact WHERE name = ?;

-- name: fact_set
INSERT OR IGNORE INTO fact (name, value) VALUES (?, ?);

-- name: record_insert
INSERT INTO record (id, kind, scope, project, name, name_key, ref, start_time, status, error,
                    created_at, updated_at, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: record_get
SELECT id, kind, scope, project, name, name_key, ref, start_time, status, error,
       created_at, updated_at, body
FROM record WHERE id = ? AND kind = ?;

-- name: record_find
SELECT id FROM record WHERE kind = ? AND scope = ? AND name_key = ?;

-- name: record_update
UPDATE record SET name = ?, name_key = ?, ref = ?, start_time = ?, updated_at = ?, body = ?
WHERE id = ?;

-- name: record_status
UPDATE record SET status = ?, error = ?, updated_at = ? WHERE id = ?;

-- name: record_unsettled
SELECT id, kind, scope, project, name, name_key, ref, start_time, status, error,
       created_at, updated_at, body
FROM record WHERE status IN ('pending', 'running') ORDER BY seq;

-- name: record_tree
WITH RECURSIVE tree (id, kind) AS (
    SELECT id, kind FROM record WHERE id = ?
    UNION
    SELECT record.id, record.kind FROM record JOIN tree ON record.scope = tree.id
)
SELECT id, kind FROM tree;

-- name: record_delete
DELETE FROM record WHERE id = ?;

-- name: record_unlink
UPDATE record SET ref = NULL WHERE ref = ?;

-- name: children
SELECT id FROM record WHERE scope = ? AND kind = ? ORDER BY seq;

-- name: ref_count
SELECT COUNT(*) FROM record WHERE ref = ?;

-- name: runs_on_channel
SELECT id, kind, scope, project, name, name_key, ref, start_time, status, error,
       created_at, updated_at, body
FROM record WHERE ref = ? AND kind = 'cell_measurement' AND id <> ?;

-- name: tags_of_project
SELECT value AS tag, COUNT(*) AS usage_count
FROM record, json_each(record.body, '$.tags')
WHERE record.kind = 'cell_measurement' AND record.project = ? AND value LIKE ?
GROUP BY value ORDER BY usage_count DESC, tag LIMIT ?;

-- name: tag_insert
INSERT OR IGNORE INTO tag (project, tag_key, spelling) VALUES (?, ?, ?);

-- name: tag_get
SELECT spelling FROM tag WHERE project = ? AND tag_key = ?;

-- name: upload_insert
INSERT OR REPLACE INTO upload (id, kind, scope, name_key, created_at, body)
VALUES (?, ?, ?, ?, ?, ?);

-- name: upload_get
SELECT id, kind, scope, name_key, created_at, body FROM upload WHERE id = ? AND kind = ?;

-- name: upload_delete
DELETE FROM upload WHERE id = ? AND kind = ?;

-- name: upload_expired
SELECT id, kind, scope, name_key, created_at, body FROM upload WHERE created_at < ?;

-- name: link_insert
INSERT OR IGNORE INTO link (measurement, raw) VALUES (?, ?);

-- name: link_delete
DELETE FROM link WHERE measurement = ? AND raw = ?;

-- name: link_delete_either
DELETE FROM link WHERE measurement = ?1 OR raw = ?1;

-- name: link_measurements
SELECT measurement FROM link WHERE raw = ? ORDER BY measurement;
