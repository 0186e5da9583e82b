-- Every statement of a job folder's journal, each under its name.
--
-- The schema is version 3, and the database's user_version says so; the application id says
-- that the file is ours. A change of the schema is a new version and a migration. A new journal
-- is the schema of version 2 and the migration from it.

-- name: schema
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

-- Entries of the plan that are not sent, and have no names under which a job could stand.
CREATE TABLE rejection (
    location TEXT PRIMARY KEY,          -- a path, or a row of a manifest
    cause TEXT NOT NULL,
    message TEXT NOT NULL,              -- all that is wrong with the entry
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

-- name: migrate_from_1
CREATE {scope}TABLE rejection (
    location TEXT PRIMARY KEY,
    cause TEXT NOT NULL,
    message TEXT NOT NULL,
    plan_run INTEGER NOT NULL
) WITHOUT ROWID;

-- {scope} is TEMP for a journal that may only be read.
-- name: migrate_from_2
-- What people know of and accept, for good: a row that was taken back stays.
CREATE {scope}TABLE acceptance (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,               -- 0 for an entry that has no job
    location TEXT NOT NULL,             -- path of the source, or place of the entry
    cause TEXT NOT NULL,
    message TEXT NOT NULL,
    source_bytes INTEGER,               -- the source as it was accepted
    source_mtime_ns INTEGER,
    source_sha256 TEXT,
    reason TEXT NOT NULL,
    accepted_by TEXT NOT NULL,
    accepted_at REAL NOT NULL,
    ended_by TEXT,                      -- who took it back, and when
    ended_at REAL
);
CREATE INDEX acceptance_by_entry ON acceptance (job, location);

-- What holds now: the cause is the one that was accepted, and the source has the same content.
CREATE {scope}VIEW accepted_job AS
SELECT job.id AS job, MAX(acceptance.id) AS acceptance FROM acceptance
JOIN job ON job.id=acceptance.job AND job.cause=acceptance.cause
WHERE acceptance.ended_at IS NULL
AND (job.state IN ('rejected', 'failed') OR job.has_given_up)
AND (acceptance.source_sha256=job.source_sha256 OR (
    acceptance.source_bytes IS job.source_bytes
    AND acceptance.source_mtime_ns IS job.source_mtime_ns))
GROUP BY job.id;

CREATE {scope}VIEW accepted_entry AS
SELECT rejection.location AS location, MAX(acceptance.id) AS acceptance FROM acceptance
JOIN rejection ON rejection.location=acceptance.location
AND rejection.cause=acceptance.cause AND rejection.message=acceptance.message
WHERE acceptance.job=0 AND acceptance.ended_at IS NULL
GROUP BY rejection.location;

-- Transforms, checks left out, reader and dialects that a retry chose for single jobs: they hold
-- in every later run.
CREATE {scope}TABLE treatment (
    job INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,               -- the retry that chose it
    options TEXT NOT NULL               -- JSON
);

-- name: run_insert
INSERT INTO run (command, settings, started_at) VALUES (?, ?, ?)

-- name: run_end
UPDATE run SET ended_at=?, summary=? WHERE id=?

-- name: run_last
SELECT id, command, settings, started_at, ended_at FROM run ORDER BY id DESC LIMIT 1

-- A rollback is a run too and has no plan, nor has a run that found nothing. The share of a part
-- in a plan may be empty: a run that only planned says so itself.
-- name: run_last_upload
SELECT id, command, settings, started_at, ended_at FROM run WHERE id=(
    SELECT MAX(plan_run) FROM (
        SELECT MAX(plan_run) AS plan_run FROM job UNION ALL SELECT MAX(plan_run) FROM skip
        UNION ALL SELECT MAX(id) FROM run WHERE json_extract(settings, '$.is_plan')
    )
)

-- name: plan_before
SELECT MAX(plan_run) FROM (
    SELECT MAX(plan_run) AS plan_run FROM job UNION ALL SELECT MAX(plan_run) FROM skip
    UNION ALL SELECT MAX(id) FROM run WHERE id<? AND json_extract(settings, '$.is_plan')
)

-- name: count_jobs
SELECT COUNT(*) FROM job WHERE ?1 IS NULL OR plan_run=?1

-- Only what reached Studio: a file that was never sent may leave without a word.
-- name: gone
SELECT spec, cell, measurement, COUNT(*) OVER () AS total,
    SUM(plan_run>=?3) OVER () AS newly FROM job
WHERE plan_run<?1 AND state IN ('ready', 'existing', 'confirmed') ORDER BY id LIMIT ?2

-- The last run before one that gave an account of what it found.
-- name: run_reported
SELECT MAX(id) FROM run WHERE id<? AND json_extract(summary, '$.this_run') IS NOT NULL

-- What did not arrive and was not known to be so: another cause, or another content.
-- name: newly_lost
WITH lost AS (
    SELECT job.id AS job, COALESCE(json_extract(job.payload, '$.origin'), path) AS path,
        state, cause, message, (
        SELECT MAX(id) FROM event WHERE event.job=job.id
        AND name IN ('SourceRejected', 'Failed', 'ProcessingFailed', 'GaveUp')) AS last
    FROM job WHERE plan_run=?1 AND (state IN ('rejected', 'failed') OR has_given_up)
)
SELECT lost.path, lost.state, lost.cause, lost.message FROM lost JOIN event ON event.id=lost.last
WHERE event.run>?2 AND NOT EXISTS (
    SELECT 1 FROM event AS before WHERE before.id=(
        SELECT MAX(id) FROM event WHERE event.job=lost.job AND event.run<=?2 AND name IN (
            'SourceRejected', 'Failed', 'ProcessingFailed', 'GaveUp', 'ProcessingReady', 'Found'))
    AND before.name NOT IN ('ProcessingReady', 'Found')
    AND COALESCE(json_extract(before.payload, '$.cause'), 'processing_failed')=lost.cause
    AND COALESCE(json_extract(before.payload, '$.source_sha256'), '')
        =COALESCE(json_extract(event.payload, '$.source_sha256'), '')
)
ORDER BY lost.job

-- What is in Studio now and had not arrived before. Events are in the order of their runs.
-- name: newly_recovered
SELECT COUNT(DISTINCT event.job) FROM event
WHERE event.id>COALESCE((SELECT id FROM event WHERE run<=?1 ORDER BY id DESC LIMIT 1), 0)
AND event.name IN ('ProcessingReady', 'Found') AND (
    SELECT name FROM event AS before WHERE before.id=(
        SELECT MAX(id) FROM event AS old WHERE old.job=event.job AND old.run<=?1 AND old.name IN (
            'SourceRejected', 'Failed', 'ProcessingFailed', 'GaveUp', 'ProcessingReady', 'Found'))
) IN ('SourceRejected', 'Failed', 'ProcessingFailed', 'GaveUp')

-- name: newly_accepted
SELECT COUNT(*) FROM acceptance
WHERE accepted_at>COALESCE((SELECT started_at FROM run WHERE id=?2), 0) AND id IN (
    SELECT acceptance FROM accepted_job JOIN job ON job.id=accepted_job.job WHERE plan_run=?1
    UNION ALL
    SELECT acceptance FROM accepted_entry JOIN rejection USING (location) WHERE plan_run=?1)

-- name: rejection_known
SELECT 1 FROM rejection WHERE location=? AND cause=?

-- name: specification_put
INSERT OR REPLACE INTO specification VALUES (?, ?, ?)

-- name: specifications
SELECT name, payload FROM specification ORDER BY name

-- name: cells
SELECT spec, cell, payload FROM cell ORDER BY spec, cell

-- name: specification_get
SELECT payload FROM specification WHERE name=?

-- name: cell_put
INSERT OR REPLACE INTO cell VALUES (?, ?, ?)

-- name: cell_get
SELECT payload FROM cell WHERE spec=? AND cell=?

-- name: skip_put
INSERT INTO skip VALUES (?, ?, ?) ON CONFLICT (location) DO UPDATE
SET rule=excluded.rule, plan_run=excluded.plan_run WHERE plan_run<>excluded.plan_run

-- name: skip_by_rule
SELECT 1 FROM skip WHERE plan_run=? AND rule=? LIMIT 1

-- name: rejection_get
SELECT message FROM rejection WHERE location=? AND plan_run=?

-- name: rejection_put
INSERT OR REPLACE INTO rejection VALUES (?, ?, ?, ?)

-- name: rejection_add
UPDATE rejection SET message=? WHERE location=?

-- name: parent_put
INSERT OR IGNORE INTO parent VALUES (?, ?, ?, ?, ?, ?)

-- name: parent_delete
DELETE FROM parent WHERE kind=? AND id=?

-- name: parents
SELECT kind, id, name, parent_id, updated_at FROM parent

-- name: runs
SELECT id, command, settings, started_at, ended_at FROM run ORDER BY id

-- The first run that was given the id which the job has now.
-- name: runs_of_jobs
SELECT event.job, MIN(event.run) AS run FROM event JOIN job ON job.id=event.job
WHERE event.name IN ('Initiated', 'Confirmed')
AND json_extract(event.payload, '$.measurement_id')=job.measurement_id GROUP BY event.job

-- name: runs_of_parents
SELECT kind, id, run FROM parent

-- name: raw_data_put
INSERT OR REPLACE INTO raw_data VALUES (?, ?)

-- name: raw_data_get
SELECT raw_data_id FROM raw_data WHERE sha256=?

-- The spellings of this plan's names without case; on disk, and gone with the connection.
-- name: spellings_table
CREATE TEMP TABLE IF NOT EXISTS spelling (
    spec TEXT NOT NULL, cell TEXT NOT NULL, folded TEXT NOT NULL, measurement TEXT NOT NULL,
    PRIMARY KEY (spec, cell, folded)
) WITHOUT ROWID

-- name: spellings_clear
DELETE FROM temp.spelling

-- Many names at once: a statement for each would take a sixth of the time of planning.
-- name: spellings_put
INSERT OR IGNORE INTO temp.spelling
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]') FROM json_each(?)

-- name: spellings_other
SELECT one.key FROM json_each(?) AS one JOIN temp.spelling AS first
ON first.spec = json_extract(one.value, '$[0]') AND first.cell = json_extract(one.value, '$[1]')
AND first.folded = json_extract(one.value, '$[2]')
WHERE first.measurement <> json_extract(one.value, '$[3]') ORDER BY one.key

-- name: job_insert
INSERT INTO job (spec, cell, measurement, path, payload, plan_run, recipe, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- What the plan states as it did before.
-- name: jobs_unchanged
UPDATE job SET plan_run=?1, has_given_up=0 WHERE id IN (SELECT value FROM json_each(?2))

-- name: job_replan
UPDATE job SET plan_run=?, path=?, payload=?, recipe=?, has_given_up=0 WHERE id=?

-- name: job_get
SELECT * FROM job WHERE id=?

-- name: job_find
SELECT * FROM job WHERE spec=? AND cell=? AND measurement=?

-- By its name, its names together, its id in Studio, or the path of its file.
-- name: jobs_named
SELECT * FROM job WHERE ?1 IN (
    measurement, measurement_id, spec || ' / ' || cell || ' / ' || measurement, path
) OR path=?2 ORDER BY id

-- name: jobs
SELECT * FROM job ORDER BY id

-- name: jobs_planned
SELECT payload FROM job WHERE plan_run=? ORDER BY id

-- name: jobs_of_cell
SELECT * FROM job WHERE plan_run=? AND spec=? AND cell=?
AND state NOT IN ('ready', 'existing', 'rejected', 'failed') ORDER BY id

-- name: count_open
SELECT COUNT(*) FROM job WHERE plan_run=?
AND state NOT IN ('ready', 'existing', 'rejected', 'failed')

-- A page, so that no reading is open while the jobs of a cell are at work.
-- name: cells_with_work
SELECT DISTINCT spec, cell FROM job WHERE plan_run=? AND has_given_up=0
AND state NOT IN ('ready', 'existing', 'rejected', 'failed')
AND (spec, cell) > (?, ?) ORDER BY spec, cell LIMIT 64

-- Of all plans, not only of the last one's.
-- name: jobs_created
SELECT * FROM job WHERE state='ready' ORDER BY spec, cell, id

-- name: job_ids_created
SELECT id FROM job WHERE state='ready' ORDER BY spec, cell, id

-- name: job_ids_existing
SELECT id FROM job WHERE state='existing' AND measurement_id IS NOT NULL
ORDER BY spec, cell, id

-- name: count_existing
SELECT COUNT(*) FROM job WHERE state='existing'

-- name: plan_take_jobs
UPDATE job SET plan_run=? WHERE plan_run=?

-- name: plan_try_again
UPDATE job SET has_given_up=0 WHERE plan_run=? AND has_given_up

-- name: plan_take_skips
UPDATE skip SET plan_run=? WHERE plan_run=?

-- name: plan_take_rejections
UPDATE rejection SET plan_run=? WHERE plan_run=?

-- A confirmed one that is not known to be processed is asked for; nothing is sent again.
-- name: jobs_not_arrived
SELECT id FROM job WHERE plan_run=?1 AND state NOT IN ('ready', 'existing', 'confirmed')
AND (?2 IS NULL OR cause=?2)

-- name: attempted
SELECT 1 FROM event WHERE job=? AND name='Attempting' AND payload=? LIMIT 1

-- name: known_ids
SELECT DISTINCT json_extract(payload, '$.measurement_id') FROM event
WHERE job=? AND name IN ('Initiated', 'Confirmed')

-- name: prepared_columns
SELECT json_extract(payload, '$.columns') FROM event
WHERE job=? AND name='SourcePrepared' ORDER BY id DESC LIMIT 1

-- name: read_provenance
SELECT json_extract(payload, '$.provenance') FROM event
WHERE job=? AND name IN ('SourcePrepared', 'SourceRejected') ORDER BY id DESC LIMIT 1

-- name: event_insert
INSERT INTO event (job, run, at, name, payload) VALUES (?, ?, ?, ?, ?)

-- name: last_read
SELECT name, payload FROM event
WHERE job=? AND name IN ('SourcePrepared', 'SourceRejected') ORDER BY id DESC LIMIT 1

-- name: history
SELECT at, name FROM event WHERE job=? ORDER BY id

-- name: events_of
SELECT id, name, payload FROM event WHERE job=? ORDER BY id

-- Runs in their order, each before its events; whether a run has ended may change later.
-- name: history_of_all
SELECT run AS of_run, 1 AS is_event, id, job, at, name, payload FROM event
UNION ALL SELECT id, 0, id, 0, started_at, command, settings FROM run
ORDER BY of_run, is_event, id

-- name: events_without_job
SELECT id, job FROM event WHERE job NOT IN (SELECT id FROM job)

-- name: integrity
PRAGMA integrity_check

-- name: job_state
SELECT state FROM job WHERE id=?

-- The assignments are columns of ours, chosen in events.py.
-- name: job_set
UPDATE job SET {assignments} WHERE id=?

-- Storage holds what was prepared last.
-- name: job_stored
UPDATE job SET stored_id=measurement_id, stored_rows=rows, stored_digest=content_digest,
    stored_source_bytes=source_bytes, stored_source_mtime_ns=source_mtime_ns
WHERE id=?

-- The record holds what was prepared last. Properties are never put anywhere, so that their
-- record is the first to say so; and a source that was touched need not be read again. A record
-- of an earlier attempt is confirmed only once it was compared with what was prepared last.
-- name: job_confirmed
UPDATE job SET stored_id=measurement_id, stored_rows=rows, stored_digest=content_digest,
    stored_source_bytes=source_bytes, stored_source_mtime_ns=source_mtime_ns
WHERE id=? AND content_digest IS NOT NULL
AND (stored_id IS NULL OR stored_id<>measurement_id OR stored_digest=content_digest)

-- Studio holds the appended rows once it has processed them, not once they were sent.
-- name: job_processed
UPDATE job SET is_extending=0, stored_id=measurement_id, stored_rows=rows,
    stored_digest=content_digest, stored_source_bytes=source_bytes,
    stored_source_mtime_ns=source_mtime_ns
WHERE id=? AND is_extending

-- name: tally
SELECT state, has_given_up, cause, COUNT(*) AS jobs
FROM job WHERE plan_run=? GROUP BY state, has_given_up, cause

-- name: tally_accepted
SELECT cause, COUNT(*) AS entries FROM accepted_job JOIN job ON job.id=accepted_job.job
WHERE plan_run=?1 GROUP BY cause
UNION ALL
SELECT cause, COUNT(*) FROM accepted_entry JOIN rejection USING (location)
WHERE plan_run=?1 GROUP BY cause

-- Where nothing of the source has changed, the other states stay as they are.
-- name: unsettled
SELECT id FROM job WHERE plan_run=?
AND state NOT IN ('planned', 'confirmed', 'ready', 'existing') ORDER BY id

-- name: rejection_causes
SELECT DISTINCT cause FROM job WHERE plan_run=? AND state='rejected'

-- Begun and not ended: what was open in the run that was interrupted.
-- name: interrupted
SELECT id FROM job WHERE plan_run=? AND state NOT IN
    ('planned', 'confirmed', 'ready', 'existing', 'rejected', 'failed') ORDER BY id

-- What did not arrive, with the source as it was looked at last, and who accepted it.
-- name: not_arrived
SELECT job.id AS job, COALESCE(json_extract(job.payload, '$.origin'), path) AS location,
    job.cause AS cause, job.message AS message,
    job.source_bytes AS source_bytes, job.source_mtime_ns AS source_mtime_ns,
    NULLIF(job.source_sha256, '') AS source_sha256, spec, cell, measurement,
    reason, accepted_by, accepted_at
FROM job LEFT JOIN accepted_job ON accepted_job.job=job.id
LEFT JOIN acceptance ON acceptance.id=accepted_job.acceptance
WHERE plan_run=?1 AND (state IN ('rejected', 'failed') OR has_given_up)
UNION ALL
SELECT 0, rejection.location, rejection.cause, rejection.message, NULL, NULL, NULL, '', '', '',
    reason, accepted_by, accepted_at
FROM rejection LEFT JOIN accepted_entry ON accepted_entry.location=rejection.location
LEFT JOIN acceptance ON acceptance.id=accepted_entry.acceptance
WHERE plan_run=?1

-- name: acceptance_put
INSERT INTO acceptance (job, location, cause, message, source_bytes, source_mtime_ns,
    source_sha256, reason, accepted_by, accepted_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: acceptance_end
UPDATE acceptance SET ended_by=?, ended_at=?
WHERE job=? AND location=? AND cause=? AND ended_at IS NULL

-- name: acceptances
SELECT location, spec, cell, measurement, acceptance.cause AS cause,
    acceptance.message AS message, acceptance.source_sha256 AS source_sha256, reason,
    accepted_by, accepted_at, ended_by, ended_at,
    acceptance.id IN (SELECT acceptance FROM accepted_job UNION ALL
        SELECT acceptance FROM accepted_entry) AS holds
FROM acceptance LEFT JOIN job ON job.id=acceptance.job ORDER BY acceptance.id

-- name: acceptance_of_job
SELECT reason, accepted_by, accepted_at FROM accepted_job
JOIN acceptance ON acceptance.id=accepted_job.acceptance WHERE accepted_job.job=?

-- A message grows with each problem of its entry while a plan is written.
-- name: is_entry_accepted
SELECT 1 FROM acceptance WHERE job=0 AND location=? AND ended_at IS NULL AND instr(message, ?)

-- name: treatment_get
SELECT options FROM treatment WHERE job=?

-- name: treatment_any
SELECT 1 FROM treatment LIMIT 1

-- name: treatment_put
INSERT OR REPLACE INTO treatment VALUES (?, ?, ?)

-- name: treatment_delete
DELETE FROM treatment WHERE job=?

-- name: treatments
SELECT options, COUNT(*) AS jobs FROM treatment JOIN job ON job.id=treatment.job
WHERE plan_run=? GROUP BY options ORDER BY jobs DESC, options

-- Sources that were rejected when they were read, as the last event of each says it.
-- name: rejected_sources
SELECT job.id AS job, job.cause AS cause,
    COALESCE(json_extract(job.payload, '$.origin'), path) AS path, job.message AS message,
    COALESCE(json_extract(event.payload, '$.findings'), '[]') AS findings,
    COALESCE(json_extract(event.payload, '$.remedy'), '') AS remedy,
    COALESCE(json_extract(event.payload, '$.tries'), 0) AS tries,
    accepted_job.job IS NOT NULL AS is_accepted
FROM job JOIN event ON event.id=(
    SELECT MAX(id) FROM event WHERE event.job=job.id AND name='SourceRejected')
LEFT JOIN accepted_job ON accepted_job.job=job.id
WHERE plan_run=? AND state='rejected' ORDER BY job.id

-- name: specifications
SELECT name, payload FROM specification ORDER BY name

-- name: cells
SELECT spec, cell, payload FROM cell ORDER BY spec, cell

-- name: tally_skips
SELECT rule, COUNT(*) AS entries FROM skip WHERE plan_run=? GROUP BY rule

-- name: account_times
SELECT MIN(at) AS began, MAX(at) AS ended FROM event WHERE job=?

-- name: account_rejections
SELECT rejection.location, rejection.cause, rejection.message, plan_run,
    reason, accepted_by, accepted_at
FROM rejection LEFT JOIN accepted_entry ON accepted_entry.location=rejection.location
LEFT JOIN acceptance ON acceptance.id=accepted_entry.acceptance ORDER BY rejection.location

-- name: account_skips
SELECT location, rule, plan_run FROM skip ORDER BY location

-- name: list_of_cause
SELECT COALESCE(json_extract(job.payload, '$.origin'), path) AS path, message FROM job
WHERE plan_run=?1 AND cause=?2
UNION ALL SELECT location, message FROM rejection WHERE plan_run=?1 AND cause=?2
UNION ALL SELECT location, '' FROM skip WHERE plan_run=?1 AND rule=?2

-- name: tally_rejections
SELECT cause, COUNT(*) AS entries FROM rejection WHERE plan_run=? GROUP BY cause

-- Entries of one message are one line.
-- name: rejections_of_cause
SELECT MIN(location) AS location, message, COUNT(*) AS entries FROM rejection
WHERE plan_run=? AND cause=? GROUP BY message ORDER BY COUNT(*) DESC, location LIMIT ?

-- Rows of jobs by how they ended. What a reader left out is in the last event that says what
-- was read.
-- name: row_ledger
SELECT state, has_given_up, COUNT(*) - COUNT(rows) AS unknown,
    COALESCE(SUM(rows), 0) AS rows, COALESCE(SUM(stored_rows), 0) AS stored_rows,
    COALESCE(SUM(CASE WHEN rows IS NOT NULL THEN (
        SELECT COALESCE(json_extract(payload, '$.rows_left_out'), 0) FROM event
        WHERE event.job = job.id AND name IN ('SourcePrepared', 'SourceRejected')
        ORDER BY event.id DESC LIMIT 1
    ) END), 0) AS left_out
FROM job WHERE plan_run=? GROUP BY state, has_given_up

-- name: count_planned
SELECT (SELECT COUNT(*) FROM job WHERE plan_run=?1)
    + (SELECT COUNT(*) FROM skip WHERE plan_run=?1)
    + (SELECT COUNT(*) FROM rejection WHERE plan_run=?1)

-- name: count_parents
SELECT COUNT(DISTINCT spec) AS specs, COUNT(*) AS cells
FROM (SELECT DISTINCT spec, cell FROM job WHERE plan_run=?)

-- name: count_state
SELECT COUNT(*) FROM job WHERE plan_run=? AND state=?

-- name: causes
SELECT cause, COUNT(*) AS entries FROM job WHERE plan_run=? AND cause<>'' GROUP BY cause

-- name: jobs_of_cause
SELECT * FROM job WHERE plan_run=? AND cause=? ORDER BY id LIMIT ?

-- name: warnings
SELECT COALESCE(json_extract(job.payload, '$.origin'), path) AS path, warnings FROM job
WHERE plan_run=? AND warnings<>'[]' ORDER BY id

-- name: changes
SELECT value, COUNT(*) AS jobs FROM job, json_each(job.changes) WHERE plan_run=? GROUP BY value

-- What readers decided about the files of a plan, by decision and evidence, with one file each.
-- Only of sources that were read as they are now; MIN() picks the example's row.
-- name: decisions
WITH prepared AS (
    SELECT job.id, COALESCE(json_extract(job.payload, '$.origin'), path) AS path, (
        SELECT NULLIF(json_extract(payload, '$.provenance'), '') FROM event
        WHERE event.job = job.id AND name IN ('SourcePrepared', 'SourceRejected')
        ORDER BY event.id DESC LIMIT 1
    ) AS provenance
    FROM job WHERE plan_run=? AND (content_digest IS NOT NULL OR state='rejected')
)
SELECT json_extract(value, '$.code') AS code,
    COALESCE(json_extract(value, '$.evidence'), '') AS evidence,
    COUNT(DISTINCT prepared.path) AS files,
    COALESCE(SUM(json_extract(value, '$.rows')), 0) AS rows,
    MIN(prepared.id), prepared.path AS path, json_extract(value, '$.detail') AS detail
FROM prepared, json_each(prepared.provenance, '$.decisions')
GROUP BY 1, 2 ORDER BY 1, files DESC, 2

-- The columns, or fields of a header, that they concern; the commonest of each decision first.
-- name: decision_columns
WITH prepared AS (
    SELECT job.id, COALESCE(json_extract(job.payload, '$.origin'), path) AS path, (
        SELECT NULLIF(json_extract(payload, '$.provenance'), '') FROM event
        WHERE event.job = job.id AND name IN ('SourcePrepared', 'SourceRejected')
        ORDER BY event.id DESC LIMIT 1
    ) AS provenance
    FROM job WHERE plan_run=? AND (content_digest IS NOT NULL OR state='rejected')
)
SELECT json_extract(decision.value, '$.code') AS code,
    COALESCE(json_extract(decision.value, '$.evidence'), '') AS evidence, named.value AS name,
    COUNT(DISTINCT prepared.path) AS files
FROM prepared, json_each(prepared.provenance, '$.decisions') AS decision,
    json_each(decision.value, '$.columns') AS named
GROUP BY 1, 2, 3 ORDER BY 1, 2, files DESC, 3

-- name: summaries
SELECT spec, cell, measurement, summary FROM job WHERE plan_run=? ORDER BY spec, cell, id

-- name: references
SELECT spec, cell, measurement, measurement_id FROM job WHERE state IN ('ready', 'existing')
AND plan_run=? ORDER BY spec, cell, id

-- What a report and the live page show of each measurement of a plan, cell after cell.
-- name: overview
SELECT id, spec, cell, measurement, COALESCE(json_extract(job.payload, '$.origin'), path) AS path,
    state, has_given_up, cause, message, rows,
    json_extract(summary, '$.start') AS start, json_extract(summary, '$.span_s') AS span_s,
    json_extract(summary, '$.capacity') AS capacity
FROM job WHERE plan_run=? ORDER BY spec, cell, id

-- name: count_by_cell
SELECT spec, cell, state, has_given_up, COUNT(*) AS jobs FROM job WHERE plan_run=?
GROUP BY spec, cell, state, has_given_up ORDER BY spec, cell

-- Events by the part of a span of time that they fall into; of stored bytes their number too.
-- name: events_over_time
SELECT CAST((event.at - ?1) / ?3 AS INTEGER) AS bin, event.name AS name, COUNT(*) AS events,
    COALESCE(SUM(CASE WHEN event.name='Stored' THEN job.size_bytes END), 0) AS bytes
FROM event JOIN job ON job.id=event.job WHERE event.at>=?1 AND event.at<=?2 GROUP BY 1, 2

-- The newest events, newest first; without those that say that something is about to be sent.
-- name: events_last
SELECT event.id, event.at, event.name, event.job, job.spec, job.cell, job.measurement,
    json_extract(event.payload, '$.message') AS message
FROM event JOIN job ON job.id=event.job
WHERE event.id>?1 AND event.name<>'Attempting' ORDER BY event.id DESC LIMIT ?2

-- Events that a reader has not counted yet, of a span of time.
-- name: events_since
SELECT CAST(event.at / ?3 AS INTEGER) AS bin, event.name AS name, COUNT(*) AS events,
    COALESCE(SUM(CASE WHEN event.name='Stored' THEN job.size_bytes END), 0) AS bytes,
    MAX(event.id) AS last
FROM event JOIN job ON job.id=event.job WHERE event.id>?1 AND event.at>=?2 GROUP BY 1, 2

-- name: overview_of_cell
SELECT id, measurement, state, has_given_up, cause, rows FROM job
WHERE plan_run=? AND spec=? AND cell=? ORDER BY id LIMIT ?

-- name: event_newest
SELECT MAX(id) AS id, MAX(at) AS at FROM event WHERE id=(SELECT MAX(id) FROM event)

-- name: excerpt
SELECT json_extract(payload, '$.excerpt') FROM event
WHERE job=? AND name='SourceRejected' ORDER BY id DESC LIMIT 1

-- name: readers
SELECT json_extract(provenance, '$.reader') AS reader,
    json_extract(provenance, '$.reader_version') AS version, COUNT(DISTINCT job) AS files
FROM (SELECT job, NULLIF(json_extract(payload, '$.provenance'), '') AS provenance FROM event
    WHERE name='SourcePrepared')
GROUP BY 1, 2 ORDER BY files DESC, 1

-- name: run_summaries
SELECT id, command, settings, started_at, ended_at, summary FROM run ORDER BY id

-- From here on: the log of transactions (logged.py). The names are those of the schema.
-- name: log_tables
SELECT name FROM sqlite_master WHERE type='table'

-- name: log_columns
SELECT name, pk FROM pragma_table_info(?)

-- name: log_row
SELECT {columns} FROM {table} WHERE {keys}

-- name: log_delete
DELETE FROM {table} WHERE {keys}

-- name: log_insert
INSERT OR REPLACE INTO {table} VALUES ({marks})

-- name: log_update
UPDATE {table} SET {assignments} WHERE {keys}

-- Rows that REPLACE removes are removed rows.
-- name: log_changes_table
CREATE TEMP TABLE changed (name TEXT, key TEXT, field TEXT, UNIQUE (name, key, field));
PRAGMA recursive_triggers=ON;

-- name: log_changes
SELECT name, key, group_concat(field) AS fields FROM temp.changed
GROUP BY name, key ORDER BY MIN(rowid)

-- name: log_changes_clear
DELETE FROM temp.changed

-- name: log_trigger_row
CREATE TEMP TRIGGER {table}_{act} AFTER {act} ON main.{table} BEGIN
INSERT OR IGNORE INTO changed VALUES ('{table}', json_array({keys}), '*'); END;

-- name: log_trigger_update
CREATE TEMP TRIGGER {table}_UPDATE AFTER UPDATE ON main.{table} BEGIN {notes} END;

-- name: log_note
INSERT OR IGNORE INTO changed SELECT '{table}', json_array({keys}), '{column}'
WHERE NEW.{column} IS NOT OLD.{column};
