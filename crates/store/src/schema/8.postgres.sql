-- Step 8: collections, rates, VIPs and issues.

-- People and lists that move at the same time. Its start: from then on its mailboxes are kept in step; null: it waits. The
-- switch: auto (when in step), at (not before switch_at) or by-hand; switch_at is its date, whatever the way.
CREATE TABLE collection (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    collection BIGINT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    start_at BIGINT,
    switch_how TEXT NOT NULL,
    switch_at BIGINT,
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, collection),
    UNIQUE (organisation, project, name)
);

-- Who is in which: the key is the object, so that nothing is in two.
CREATE TABLE collection_member (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    object TEXT NOT NULL,               -- mailbox/NUMBER, or list/DIRECTORY/KEY
    collection BIGINT NOT NULL,
    switch_at BIGINT,                  -- its own date; null: the collection's
    added_by TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, object)
);

-- Who moved from which to which, and why. Only ever added to.
CREATE TABLE collection_move (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    move BIGINT NOT NULL,
    object TEXT NOT NULL,
    from_collection BIGINT NOT NULL,
    to_collection BIGINT NOT NULL,
    reason TEXT NOT NULL,
    moved_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, move)
);

-- What was done of a collection in an hour (hours since 1970). Collection 0: of mailboxes in none.
CREATE TABLE collection_rate (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    collection BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    items BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    in_step BIGINT NOT NULL,           -- mailboxes that got in step for the first time
    worked_ms BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, collection, hour)
);

-- Who is to be watched closely, and never moves first.
CREATE TABLE vip (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    named_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    by_file BIGINT NOT NULL,           -- people.csv says so
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, mailbox)
);

-- The log of issues: each failure of a mailbox, and what people report. At most one of a mailbox and type is not closed.
CREATE TABLE issue (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    issue BIGINT NOT NULL,
    mailbox BIGINT,                    -- null: of none
    type TEXT NOT NULL,                 -- the code of a cause, or a word of whoever opened it
    is_of_items BIGINT NOT NULL,       -- items of the mailbox, not the mailbox itself
    owner TEXT NOT NULL,                -- organisation, provider, both
    what TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,                -- open, in-progress, closed
    follows BIGINT,                    -- the closed one that has come back
    assigned_to TEXT,
    seen BIGINT NOT NULL,              -- how often
    seen_at BIGINT NOT NULL,
    opened_by TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    closed_by TEXT,
    closed_at BIGINT,
    resolution TEXT,
    disposition TEXT,                   -- accepted, mop-up, not-moving
    reason TEXT,
    PRIMARY KEY (organisation, project, issue)
);
CREATE UNIQUE INDEX issue_not_closed ON issue (organisation, project, mailbox, type)
    WHERE state <> 'closed' AND mailbox IS NOT NULL;
CREATE INDEX issue_mailbox ON issue (organisation, project, mailbox);

CREATE TABLE issue_note (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    issue BIGINT NOT NULL,
    note BIGINT NOT NULL,
    what TEXT NOT NULL,
    said_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, issue, note)
);

-- The collection it is in. When its first pass began, when it was first in step, since when it fails whatever it tries in
-- between; and a person's word that it is left for the mop-up, or does not move at all.
ALTER TABLE mailbox ADD COLUMN member_of BIGINT;
ALTER TABLE mailbox ADD COLUMN begun_at BIGINT;
ALTER TABLE mailbox ADD COLUMN in_step_at BIGINT;
ALTER TABLE mailbox ADD COLUMN failing_since BIGINT;
ALTER TABLE mailbox ADD COLUMN set_aside TEXT;
-- Who may have to be made due: few once everything is kept in step.
CREATE INDEX mailbox_idle ON mailbox (organisation, project, member_of) WHERE due_at IS NULL AND listed = 1;
