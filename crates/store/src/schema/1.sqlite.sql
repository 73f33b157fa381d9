-- Step 1. Every key begins with organisation and project. Times are milliseconds since 1970 on the database's clock,
-- days of items seconds since 1970. Tables without rowid: the key is the table.

CREATE TABLE organisation (
    organisation INTEGER NOT NULL,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    PRIMARY KEY (organisation)
) WITHOUT ROWID;

CREATE TABLE project (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project),
    UNIQUE (organisation, name)
) WITHOUT ROWID;

CREATE TABLE endpoint (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (organisation, project, endpoint),
    UNIQUE (organisation, project, name)
) WITHOUT ROWID;

-- One person's or role's store on both sides. The row is the job: who holds it works on it.
CREATE TABLE mailbox (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    source_endpoint INTEGER NOT NULL,
    source_name TEXT NOT NULL,
    target_endpoint INTEGER NOT NULL,
    target_name TEXT NOT NULL,
    name TEXT,
    kind TEXT NOT NULL,
    collection TEXT,
    listed INTEGER NOT NULL,            -- still on the roster
    target_in_use INTEGER NOT NULL,     -- its person works there already
    phase TEXT NOT NULL,
    condition TEXT NOT NULL,            -- running, waiting, parked
    reason TEXT,
    cause TEXT,
    side TEXT,
    since INTEGER NOT NULL,             -- of phase and condition
    due_at INTEGER,                     -- to be worked on from then; null: not due
    fence INTEGER NOT NULL,             -- counts claims
    holder TEXT,
    lease_until INTEGER,
    source_store TEXT,                  -- what tells its stores from others, where known
    target_store TEXT,
    bytes_proved INTEGER NOT NULL,      -- traits of items that were read back and were the same
    bytes_not_kept INTEGER NOT NULL,    -- traits of items that were read back and were not
    pass_began_at INTEGER,              -- of the last complete pass
    pass_ended_at INTEGER,
    PRIMARY KEY (organisation, project, mailbox),
    UNIQUE (organisation, project, source_endpoint, source_name)
) WITHOUT ROWID;
CREATE INDEX mailbox_due ON mailbox (organisation, project, due_at) WHERE due_at IS NOT NULL;

-- One folder of a source under one validity, and the folder of the target that its items go to.
CREATE TABLE folder (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    path TEXT NOT NULL,                 -- names as JSON
    source_validity INTEGER NOT NULL,
    source_next INTEGER NOT NULL,       -- the state up to which it has been read completely; all 0 before
    source_count INTEGER NOT NULL,
    source_change INTEGER NOT NULL,
    cursor BLOB,
    target_path TEXT NOT NULL,
    target_validity INTEGER NOT NULL,   -- the state up to which everything there is accounted for; all 0 before
    target_next INTEGER NOT NULL,
    target_count INTEGER NOT NULL,
    target_change INTEGER NOT NULL,
    gone_at INTEGER,                    -- not listed by the source any more, or under another validity
    PRIMARY KEY (organisation, project, folder),
    UNIQUE (organisation, project, mailbox, endpoint, kind, path, source_validity)
) WITHOUT ROWID;

-- The ledger: the fate of every item of the source.
CREATE TABLE item (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    folder INTEGER NOT NULL,
    source_id BLOB NOT NULL,
    fate INTEGER NOT NULL,
    size INTEGER NOT NULL,
    received INTEGER,
    exact BLOB,                         -- SHA-256; null where the bytes never came
    canonical BLOB,                     -- null: the same as exact
    canonical_version INTEGER NOT NULL,
    sent BLOB,                          -- digest of what was sent, where policy changed it
    read_back BLOB,                     -- digest of what the target gave back, where it differs from what was sent
    source_flags BLOB NOT NULL,         -- as last read
    target_id BLOB,
    target_flags BLOB,                  -- as last read back; null: the same as source_flags
    PRIMARY KEY (organisation, project, endpoint, kind, folder, source_id)
) WITHOUT ROWID;

-- Items that the source has no more and the target still has: removals that wait.
CREATE TABLE removal (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder INTEGER NOT NULL,
    source_id BLOB NOT NULL,
    fate INTEGER NOT NULL,              -- that the item had
    exact BLOB,
    target_id BLOB,
    why TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, folder, source_id)
) WITHOUT ROWID;

-- Batches under way: written before they take effect, gone when their outcome is recorded.
CREATE TABLE intent (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    number INTEGER NOT NULL,
    folder INTEGER NOT NULL,
    mark_validity INTEGER NOT NULL,     -- where the target folder stood before the oldest batch then open
    mark_next INTEGER NOT NULL,
    mark_count INTEGER NOT NULL,
    mark_change INTEGER NOT NULL,
    items BLOB NOT NULL,
    opened_at INTEGER NOT NULL,
    looks_left INTEGER,                 -- null: open. Else resolved, but a late writer may still come: looks left
    looked_at INTEGER,
    PRIMARY KEY (organisation, project, mailbox, fence, number)
) WITHOUT ROWID;

-- Why an item failed or was excluded.
CREATE TABLE failure (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder INTEGER NOT NULL,
    source_id BLOB NOT NULL,
    cause TEXT NOT NULL,
    what TEXT NOT NULL,
    server TEXT,
    policy TEXT NOT NULL,               -- profile, its version and the policy's
    tries INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, folder, source_id)
) WITHOUT ROWID;

-- What is not a failure of an item but no one may overlook: collisions, extra copies, folders that could not be made.
CREATE TABLE exception (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    number INTEGER NOT NULL,
    class TEXT NOT NULL,
    path TEXT NOT NULL,                 -- of the source folder, names as JSON
    source_id BLOB,
    target_id BLOB,
    what TEXT NOT NULL,
    at INTEGER NOT NULL,
    open INTEGER NOT NULL,              -- still so at the last pass
    PRIMARY KEY (organisation, project, mailbox, number)
) WITHOUT ROWID;

-- Decisions, each chained to the one before by its hash.
CREATE TABLE audit (
    organisation INTEGER NOT NULL,
    number INTEGER NOT NULL,
    project INTEGER,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    known_by TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,               -- JSON
    hash BLOB NOT NULL,
    PRIMARY KEY (organisation, number)
) WITHOUT ROWID;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;
