-- Step 4: what was predicted, and how long the work takes.

-- What was predicted of a mailbox: once before anything of it was copied (begun = 0), once later. A further prediction takes
-- the place of the one before.
CREATE TABLE forecast (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    at INTEGER NOT NULL,
    policy TEXT NOT NULL,
    is_read INTEGER NOT NULL,            -- every item was read; else sizes, dates and flags were listed
    detail TEXT NOT NULL,                -- JSON: the numbers
    PRIMARY KEY (organisation, project, mailbox, begun)
) WITHOUT ROWID;

-- Items of which it was predicted that a rule or the target keeps them, or that they travel without something.
CREATE TABLE forecast_item (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    path TEXT NOT NULL,                  -- names as JSON
    source_id BLOB NOT NULL,
    how TEXT NOT NULL,
    rule TEXT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox, begun, path, source_id)
) WITHOUT ROWID;

-- How long runs that copied something worked on the mailbox, and what they copied.
ALTER TABLE mailbox ADD COLUMN worked_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN worked_items INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN worked_bytes INTEGER NOT NULL DEFAULT 0;
