-- Step 11: the switch and its undo, as the engine sees them.

-- 0: its source was never left. 1: its source is being left, or was and is not followed anew yet. 2: it was left once.
ALTER TABLE mailbox ADD COLUMN frozen INTEGER NOT NULL DEFAULT 0;

-- Of a copy that stays where it is: the source has its item here now. That item's fate is withdrawn.
ALTER TABLE removal ADD COLUMN moved_folder INTEGER;
ALTER TABLE removal ADD COLUMN moved_id BLOB;

-- How each folder of the target stood when the source began to be left: what has come since is carried back.
CREATE TABLE freeze_mark (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    path TEXT NOT NULL,                 -- on the target, names as JSON
    validity INTEGER NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, mailbox, path)
) WITHOUT ROWID;

-- Batches under way to the source: written before they take effect, gone when their outcome is recorded. The folder's ids are
-- the source's; items are called as the target calls them.
CREATE TABLE back_intent (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    number INTEGER NOT NULL,
    folder INTEGER NOT NULL,
    mark_validity INTEGER NOT NULL,     -- where the source folder stood before
    mark_next INTEGER NOT NULL,
    mark_count INTEGER NOT NULL,
    mark_change INTEGER NOT NULL,
    items BLOB NOT NULL,
    from_folder INTEGER,                -- they are moved from there; null: they are added
    from_items BLOB,                    -- what that folder called them
    opened_at INTEGER NOT NULL,
    looks_left INTEGER,                 -- null: open. Else resolved, but a late writer may still come: looks left
    looked_at INTEGER,
    PRIMARY KEY (organisation, project, mailbox, fence, number)
) WITHOUT ROWID;

-- Changes of flags at the source under way: written before they take effect, gone when what came of them is recorded.
CREATE TABLE back_flag (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder INTEGER NOT NULL,
    source_id BLOB NOT NULL,
    added BLOB NOT NULL,
    taken BLOB NOT NULL,
    PRIMARY KEY (organisation, project, folder, source_id)
) WITHOUT ROWID;
