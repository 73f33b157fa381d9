-- Step 11: the switch and its undo.

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


-- What somebody said of when a mailbox switches, before what its collection says.
CREATE TABLE switch_order (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    way TEXT NOT NULL,                   -- over, back
    at INTEGER NOT NULL,                 -- not before
    reason TEXT NOT NULL,
    said_by TEXT NOT NULL,
    said_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, mailbox)
) WITHOUT ROWID;

-- A switch of a mailbox, from its beginning to its end on one side.
CREATE TABLE switch (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    switch INTEGER NOT NULL,             -- numbered from 1
    task TEXT NOT NULL,                  -- that it is at
    since INTEGER NOT NULL,              -- when it came to it
    tries INTEGER NOT NULL,              -- in vain
    waits TEXT,                          -- for what, or why the last try failed
    quiet_since INTEGER,                 -- when a pass last found nothing new, with no other since that did
    why TEXT NOT NULL,                   -- auto, at, by-hand: what began it
    begun_by TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    taken_back_by TEXT,
    ended_at INTEGER,
    ended_on TEXT,                       -- source, target
    PRIMARY KEY (organisation, project, mailbox, switch)
) WITHOUT ROWID;
CREATE INDEX switch_open ON switch (organisation, project, since) WHERE ended_at IS NULL;

-- Each task of it that was begun, and what was seen when it was done.
CREATE TABLE switch_task (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    switch INTEGER NOT NULL,
    place INTEGER NOT NULL,
    task TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended TEXT,                          -- done, turned-back
    evidence TEXT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox, switch, place)
) WITHOUT ROWID;

-- A rule's sign-off, or the word that it does not count for somebody.
CREATE TABLE rule_word (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    word INTEGER NOT NULL,
    rule TEXT NOT NULL,
    scope TEXT NOT NULL,                 -- everybody, collection/NAME, mailbox/NUMBER
    said_by TEXT NOT NULL,
    evidence TEXT NOT NULL,              -- its name
    digest BLOB,                         -- of the file, where it is one
    recorded_by TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    withdrawn_by TEXT,
    withdrawn_at INTEGER,
    PRIMARY KEY (organisation, project, word)
) WITHOUT ROWID;

-- The forwarder from a mailbox's target to its source (F1), as it was put on and taken off.
CREATE TABLE forwarder (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    leads_to TEXT NOT NULL,
    guardian TEXT,                       -- who allowed it on an account that was there before
    guardian_on TEXT,                    -- the date of it
    evidence TEXT,
    ends_on TEXT,                        -- as it was computed then
    on_at INTEGER,                       -- null: it is to come
    off_at INTEGER,
    said_by TEXT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox)
) WITHOUT ROWID;

-- What sends people's mail on and is not ours (F2), as it was last found.
CREATE TABLE found_forwarder (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    side TEXT NOT NULL,                  -- source, target
    place INTEGER NOT NULL,
    what TEXT NOT NULL,                  -- as JSON
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, mailbox, side, place)
) WITHOUT ROWID;

-- When a mailbox's forwarders were last looked for on a side.
CREATE TABLE forwarders_seen (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    side TEXT NOT NULL,
    redirected_to TEXT,                  -- by ours, in force
    unread TEXT NOT NULL,                -- what could not be looked into, as JSON
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, mailbox, side)
) WITHOUT ROWID;

-- That a person's client is to be led to the target.
CREATE TABLE client_mark (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    marked_at INTEGER NOT NULL,
    cleared_at INTEGER,
    cleared_by TEXT,
    PRIMARY KEY (organisation, project, mailbox)
) WITHOUT ROWID;

-- What looks into the DNS saw of a legacy domain: what may still be in somebody's cache follows from it.
CREATE TABLE mx_look (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    domain TEXT NOT NULL,
    look INTEGER NOT NULL,               -- numbered from 1
    at INTEGER NOT NULL,
    what TEXT NOT NULL,                  -- as JSON
    PRIMARY KEY (organisation, project, domain, look)
) WITHOUT ROWID;
