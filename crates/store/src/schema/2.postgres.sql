-- Step 2: following the source.

-- Is the folder followed at the source, as last read; 2: the target is about to follow it; null: not known. Was the folder of the target made by us?
ALTER TABLE folder ADD COLUMN subscribed SMALLINT;
ALTER TABLE folder ADD COLUMN made SMALLINT NOT NULL DEFAULT 0;
-- How the folder of the target stood when the ids there were last compared with those known.
ALTER TABLE folder ADD COLUMN compared_next BIGINT NOT NULL DEFAULT 0;
ALTER TABLE folder ADD COLUMN compared_count BIGINT NOT NULL DEFAULT 0;

-- How many items were removed from the target on this day (since 1970).
ALTER TABLE mailbox ADD COLUMN removed_day BIGINT NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN removed_count BIGINT NOT NULL DEFAULT 0;
-- A person's word about a mass disappearance on the target: `follow` means that it is as it should be.
ALTER TABLE mailbox ADD COLUMN vanished_word TEXT;

-- A removal is due (decided, to be done once every folder was read), doing, held (waits for a word), approved, or kept
-- (refused: the item stays). With what tells whether the item is still as we left it.
ALTER TABLE removal ADD COLUMN state TEXT NOT NULL DEFAULT 'held';
ALTER TABLE removal ADD COLUMN rule TEXT NOT NULL DEFAULT 'removed-at-source';
ALTER TABLE removal ADD COLUMN size BIGINT NOT NULL DEFAULT 0;
ALTER TABLE removal ADD COLUMN received BIGINT;
ALTER TABLE removal ADD COLUMN canonical BYTEA;
ALTER TABLE removal ADD COLUMN source_flags BYTEA;
ALTER TABLE removal ADD COLUMN target_flags BYTEA;

-- Items of the source that wait for a word, and the item of the target that may be the same. The word: `copy` (it is
-- another) or `same`; null: none yet.
CREATE TABLE held (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder BIGINT NOT NULL,
    source_id BYTEA NOT NULL,
    target_id BYTEA,
    what TEXT NOT NULL,
    word TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, folder, source_id)
);

-- Changes of flags under way: written before they take effect, gone when what came of them is recorded.
CREATE TABLE flag_intent (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder BIGINT NOT NULL,
    source_id BYTEA NOT NULL,
    added BYTEA NOT NULL,
    taken BYTEA NOT NULL,
    PRIMARY KEY (organisation, project, folder, source_id)
);

-- Whose loss somebody has accepted, and what is to be tried again whatever its cause.
ALTER TABLE failure ADD COLUMN accepted_by TEXT;
ALTER TABLE failure ADD COLUMN accepted_why TEXT;
ALTER TABLE failure ADD COLUMN accepted_at BIGINT;
ALTER TABLE failure ADD COLUMN retry SMALLINT NOT NULL DEFAULT 0;
