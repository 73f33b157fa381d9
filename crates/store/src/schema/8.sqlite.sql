-- Step 8: collections, rates, VIPs and issues.

-- People and lists that move at the same time. Its start: from then on its mailboxes are kept in step; null: it waits. The
-- switch: auto (when in step), at (not before switch_at) or by-hand; switch_at is its date, whatever the way.
CREATE TABLE collection (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    collection INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    start_at INTEGER,
    switch_how TEXT NOT NULL,
    switch_at INTEGER,
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, collection),
    UNIQUE (organisation, project, name)
) WITHOUT ROWID;

-- Who is in which: the key is the object, so that nothing is in two.
CREATE TABLE collection_member (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    object TEXT NOT NULL,                -- mailbox/NUMBER, or list/DIRECTORY/KEY
    collection INTEGER NOT NULL,
    switch_at INTEGER,                   -- its own date; null: the collection's
    added_by TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, object)
) WITHOUT ROWID;

-- Who moved from which to which, and why. Only ever added to.
CREATE TABLE collection_move (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    move INTEGER NOT NULL,
    object TEXT NOT NULL,
    from_collection INTEGER NOT NULL,
    to_collection INTEGER NOT NULL,
    reason TEXT NOT NULL,
    moved_by TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, move)
) WITHOUT ROWID;

-- What was done of a collection in an hour (hours since 1970). Collection 0: of mailboxes in none.
CREATE TABLE collection_rate (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    collection INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    in_step INTEGER NOT NULL,            -- mailboxes that got in step for the first time
    worked_ms INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, collection, hour)
) WITHOUT ROWID;

-- Who is to be watched closely, and never moves first.
CREATE TABLE vip (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    named_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    by_file INTEGER NOT NULL,            -- people.csv says so
    at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, mailbox)
) WITHOUT ROWID;

-- The log of issues: each failure of a mailbox, and what people report. At most one of a mailbox and type is not closed.
CREATE TABLE issue (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    issue INTEGER NOT NULL,
    mailbox INTEGER,                     -- null: of none
    type TEXT NOT NULL,                  -- the code of a cause, or a word of whoever opened it
    is_of_items INTEGER NOT NULL,        -- items of the mailbox, not the mailbox itself
    owner TEXT NOT NULL,                 -- organisation, provider, both
    what TEXT NOT NULL,
    action TEXT NOT NULL,
    state TEXT NOT NULL,                 -- open, in-progress, closed
    follows INTEGER,                     -- the closed one that has come back
    assigned_to TEXT,
    seen INTEGER NOT NULL,               -- how often
    seen_at INTEGER NOT NULL,
    opened_by TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    closed_by TEXT,
    closed_at INTEGER,
    resolution TEXT,
    disposition TEXT,                    -- accepted, mop-up, not-moving
    reason TEXT,
    PRIMARY KEY (organisation, project, issue)
) WITHOUT ROWID;
CREATE UNIQUE INDEX issue_not_closed ON issue (organisation, project, mailbox, type)
    WHERE state <> 'closed' AND mailbox IS NOT NULL;
CREATE INDEX issue_mailbox ON issue (organisation, project, mailbox);

CREATE TABLE issue_note (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    issue INTEGER NOT NULL,
    note INTEGER NOT NULL,
    what TEXT NOT NULL,
    said_by TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, issue, note)
) WITHOUT ROWID;

-- The collection it is in. When its first pass began, when it was first in step, since when it fails whatever it tries in
-- between; and a person's word that it is left for the mop-up, or does not move at all.
ALTER TABLE mailbox ADD COLUMN member_of INTEGER;
ALTER TABLE mailbox ADD COLUMN begun_at INTEGER;
ALTER TABLE mailbox ADD COLUMN in_step_at INTEGER;
ALTER TABLE mailbox ADD COLUMN failing_since INTEGER;
ALTER TABLE mailbox ADD COLUMN set_aside TEXT;
-- Who may have to be made due: few once everything is kept in step.
CREATE INDEX mailbox_idle ON mailbox (organisation, project, member_of) WHERE due_at IS NULL AND listed = 1;
