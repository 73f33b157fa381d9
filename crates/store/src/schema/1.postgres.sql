-- Step 1. Every key begins with organisation and project. Times are milliseconds since 1970 on the database's clock,
-- days of items seconds since 1970.

CREATE TABLE organisation (
    organisation INTEGER NOT NULL,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    PRIMARY KEY (organisation)
);

CREATE TABLE project (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project),
    UNIQUE (organisation, name)
);

CREATE TABLE endpoint (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (organisation, project, endpoint),
    UNIQUE (organisation, project, name)
);

-- One person's or role's store on both sides. The row is the job: who holds it works on it.
CREATE TABLE mailbox (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox BIGINT NOT NULL,
    source_endpoint BIGINT NOT NULL,
    source_name TEXT NOT NULL,
    target_endpoint BIGINT NOT NULL,
    target_name TEXT NOT NULL,
    name TEXT,
    kind TEXT NOT NULL,
    collection TEXT,
    listed SMALLINT NOT NULL,            -- still on the roster
    target_in_use SMALLINT NOT NULL,     -- its person works there already
    phase TEXT NOT NULL,
    condition TEXT NOT NULL,            -- running, waiting, parked
    reason TEXT,
    cause TEXT,
    side TEXT,
    since BIGINT NOT NULL,             -- of phase and condition
    due_at BIGINT,                     -- to be worked on from then; null: not due
    fence BIGINT NOT NULL,             -- counts claims
    holder TEXT,
    lease_until BIGINT,
    source_store TEXT,                  -- what tells its stores from others, where known
    target_store TEXT,
    bytes_proved SMALLINT NOT NULL,      -- traits of items that were read back and were the same
    bytes_not_kept SMALLINT NOT NULL,    -- traits of items that were read back and were not
    pass_began_at BIGINT,              -- of the last complete pass
    pass_ended_at BIGINT,
    PRIMARY KEY (organisation, project, mailbox),
    UNIQUE (organisation, project, source_endpoint, source_name)
);
CREATE INDEX mailbox_due ON mailbox (organisation, project, due_at) WHERE due_at IS NOT NULL;

-- One folder of a source under one validity, and the folder of the target that its items go to.
CREATE TABLE folder (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    endpoint INTEGER NOT NULL,
    kind SMALLINT NOT NULL,
    path TEXT NOT NULL,                 -- names as JSON
    source_validity BIGINT NOT NULL,
    source_next BIGINT NOT NULL,       -- the state up to which it has been read completely; all 0 before
    source_count BIGINT NOT NULL,
    source_change BIGINT NOT NULL,
    cursor BYTEA,
    target_path TEXT NOT NULL,
    target_validity BIGINT NOT NULL,   -- the state up to which everything there is accounted for; all 0 before
    target_next BIGINT NOT NULL,
    target_count BIGINT NOT NULL,
    target_change BIGINT NOT NULL,
    gone_at BIGINT,                    -- not listed by the source any more, or under another validity
    PRIMARY KEY (organisation, project, folder),
    UNIQUE (organisation, project, mailbox, endpoint, kind, path, source_validity)
);

-- The ledger: the fate of every item of the source.
CREATE TABLE item (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    kind SMALLINT NOT NULL,
    folder BIGINT NOT NULL,
    source_id BYTEA NOT NULL,
    fate SMALLINT NOT NULL,
    size BIGINT NOT NULL,
    received BIGINT,
    exact BYTEA,                         -- SHA-256; null where the bytes never came
    canonical BYTEA,                     -- null: the same as exact
    canonical_version SMALLINT NOT NULL,
    sent BYTEA,                         -- digest of what was sent, where policy changed it
    read_back BYTEA,                    -- digest of what the target gave back, where it differs from what was sent
    source_flags BYTEA NOT NULL,         -- as last read
    target_id BYTEA,
    target_flags BYTEA,                  -- as last read back; null: the same as source_flags
    PRIMARY KEY (organisation, project, endpoint, kind, folder, source_id)
);

-- Items that the source has no more and the target still has: removals that wait.
CREATE TABLE removal (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder BIGINT NOT NULL,
    source_id BYTEA NOT NULL,
    fate SMALLINT NOT NULL,              -- that the item had
    exact BYTEA,
    target_id BYTEA,
    why TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, folder, source_id)
);

-- Batches under way: written before they take effect, gone when their outcome is recorded.
CREATE TABLE intent (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    folder BIGINT NOT NULL,
    mark_validity BIGINT NOT NULL,     -- where the target folder stood before the oldest batch then open
    mark_next BIGINT NOT NULL,
    mark_count BIGINT NOT NULL,
    mark_change BIGINT NOT NULL,
    items BYTEA NOT NULL,
    opened_at BIGINT NOT NULL,
    looks_left BIGINT,                 -- null: open. Else resolved, but a late writer may still come: looks left
    looked_at BIGINT,
    PRIMARY KEY (organisation, project, mailbox, fence, number)
);

-- Why an item failed or was excluded.
CREATE TABLE failure (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder BIGINT NOT NULL,
    source_id BYTEA NOT NULL,
    cause TEXT NOT NULL,
    what TEXT NOT NULL,
    server TEXT,
    policy TEXT NOT NULL,               -- profile, its version and the policy's
    tries BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, folder, source_id)
);

-- What is not a failure of an item but no one may overlook: collisions, extra copies, folders that could not be made.
CREATE TABLE exception (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox BIGINT NOT NULL,
    number BIGINT NOT NULL,
    class TEXT NOT NULL,
    path TEXT NOT NULL,                 -- of the source folder, names as JSON
    source_id BYTEA,
    target_id BYTEA,
    what TEXT NOT NULL,
    at BIGINT NOT NULL,
    open SMALLINT NOT NULL,              -- still so at the last pass
    PRIMARY KEY (organisation, project, mailbox, number)
);

-- Decisions, each chained to the one before by its hash.
CREATE TABLE audit (
    organisation INTEGER NOT NULL,
    number BIGINT NOT NULL,
    project INTEGER,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    known_by TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,               -- JSON
    hash BYTEA NOT NULL,
    PRIMARY KEY (organisation, number)
);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
