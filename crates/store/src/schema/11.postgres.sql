-- Step 11: the switch and its undo, as the engine sees them.

-- 0: its source was never left. 1: its source is being left, or was and is not followed anew yet. 2: it was left once.
ALTER TABLE mailbox ADD COLUMN frozen SMALLINT NOT NULL DEFAULT 0;

-- Of a copy that stays where it is: the source has its item here now. That item's fate is withdrawn.
ALTER TABLE removal ADD COLUMN moved_folder BIGINT;
ALTER TABLE removal ADD COLUMN moved_id BYTEA;

-- How each folder of the target stood when the source began to be left: what has come since is carried back.
CREATE TABLE freeze_mark (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    path TEXT NOT NULL,                 -- on the target, names as JSON
    validity BIGINT NOT NULL,
    next BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox, path)
);

-- Batches under way to the source: written before they take effect, gone when their outcome is recorded. The folder's ids are
-- the source's; items are called as the target calls them.
CREATE TABLE back_intent (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    number BIGINT NOT NULL,
    folder BIGINT NOT NULL,
    mark_validity BIGINT NOT NULL,     -- where the source folder stood before
    mark_next BIGINT NOT NULL,
    mark_count BIGINT NOT NULL,
    mark_change BIGINT NOT NULL,
    items BYTEA NOT NULL,
    from_folder BIGINT,                -- they are moved from there; null: they are added
    from_items BYTEA,                    -- what that folder called them
    opened_at BIGINT NOT NULL,
    looks_left BIGINT,                 -- null: open. Else resolved, but a late writer may still come: looks left
    looked_at BIGINT,
    PRIMARY KEY (organisation, project, mailbox, fence, number)
);

-- Changes of flags at the source under way: written before they take effect, gone when what came of them is recorded.
CREATE TABLE back_flag (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    folder BIGINT NOT NULL,
    source_id BYTEA NOT NULL,
    added BYTEA NOT NULL,
    taken BYTEA NOT NULL,
    PRIMARY KEY (organisation, project, folder, source_id)
);
