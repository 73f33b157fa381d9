-- Step 11: the switch and its undo.

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


-- What somebody said of when a mailbox switches, before what its collection says.
CREATE TABLE switch_order (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    way TEXT NOT NULL,                   -- over, back
    at BIGINT NOT NULL,                 -- not before
    reason TEXT NOT NULL,
    said_by TEXT NOT NULL,
    said_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox)
);

-- A switch of a mailbox, from its beginning to its end on one side.
CREATE TABLE switch (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    switch BIGINT NOT NULL,             -- numbered from 1
    task TEXT NOT NULL,                  -- that it is at
    since BIGINT NOT NULL,              -- when it came to it
    tries BIGINT NOT NULL,              -- in vain
    waits TEXT,                          -- for what, or why the last try failed
    quiet_since BIGINT,                 -- when a pass last found nothing new, with no other since that did
    why TEXT NOT NULL,                   -- auto, at, by-hand: what began it
    begun_by TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    taken_back_by TEXT,
    ended_at BIGINT,
    ended_on TEXT,                       -- source, target
    PRIMARY KEY (organisation, project, mailbox, switch)
);
CREATE INDEX switch_open ON switch (organisation, project, since) WHERE ended_at IS NULL;

-- Each task of it that was begun, and what was seen when it was done.
CREATE TABLE switch_task (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    switch BIGINT NOT NULL,
    place BIGINT NOT NULL,
    task TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended TEXT,                          -- done, turned-back
    evidence TEXT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox, switch, place)
);

-- A rule's sign-off, or the word that it does not count for somebody.
CREATE TABLE rule_word (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    word BIGINT NOT NULL,
    rule TEXT NOT NULL,
    scope TEXT NOT NULL,                 -- everybody, collection/NAME, mailbox/NUMBER
    said_by TEXT NOT NULL,
    evidence TEXT NOT NULL,              -- its name
    digest BYTEA,                         -- of the file, where it is one
    recorded_by TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    withdrawn_by TEXT,
    withdrawn_at BIGINT,
    PRIMARY KEY (organisation, project, word)
);

-- The forwarder from a mailbox's target to its source (F1), as it was put on and taken off.
CREATE TABLE forwarder (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    leads_to TEXT NOT NULL,
    guardian TEXT,                       -- who allowed it on an account that was there before
    guardian_on TEXT,                    -- the date of it
    evidence TEXT,
    ends_on TEXT,                        -- as it was computed then
    on_at BIGINT,                       -- null: it is to come
    off_at BIGINT,
    said_by TEXT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox)
);

-- What sends people's mail on and is not ours (F2), as it was last found.
CREATE TABLE found_forwarder (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    side TEXT NOT NULL,                  -- source, target
    place BIGINT NOT NULL,
    what TEXT NOT NULL,                  -- as JSON
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox, side, place)
);

-- When a mailbox's forwarders were last looked for on a side.
CREATE TABLE forwarders_seen (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    side TEXT NOT NULL,
    redirected_to TEXT,                  -- by ours, in force
    unread TEXT NOT NULL,                -- what could not be looked into, as JSON
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox, side)
);

-- That a person's client is to be led to the target.
CREATE TABLE client_mark (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    marked_at BIGINT NOT NULL,
    cleared_at BIGINT,
    cleared_by TEXT,
    PRIMARY KEY (organisation, project, mailbox)
);

-- What looks into the DNS saw of a legacy domain: what may still be in somebody's cache follows from it.
CREATE TABLE mx_look (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    domain TEXT NOT NULL,
    look BIGINT NOT NULL,               -- numbered from 1
    at BIGINT NOT NULL,
    what TEXT NOT NULL,                  -- as JSON
    PRIMARY KEY (organisation, project, domain, look)
);
