-- Reports that are sent every day, and alerts.

-- Changes of the source that were made on the target: flags, moves, removals. Counted since this step.
ALTER TABLE mailbox ADD COLUMN followed INTEGER NOT NULL DEFAULT 0;

-- Where the project stood when a day of the organisation had ended. What grows is counted from the project's beginning, so that what
-- a day did is the difference from the row before.
CREATE TABLE report_day (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    day TEXT NOT NULL,                   -- that had ended, as 2026-11-26
    taken_at INTEGER NOT NULL,
    items INTEGER NOT NULL,              -- copied
    bytes INTEGER NOT NULL,
    worked_ms INTEGER NOT NULL,
    followed INTEGER NOT NULL,
    failed INTEGER NOT NULL,             -- items that were failed then
    mailboxes INTEGER NOT NULL,          -- on the roster then
    in_step INTEGER NOT NULL,            -- in step then, or turned over
    turned_over INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, day)
) WITHOUT ROWID;

-- Since when a report is sent every day: nothing is owed from before.
CREATE TABLE report_since (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    kind TEXT NOT NULL,                  -- overall, failed, schedule
    since INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, kind)
) WITHOUT ROWID;

-- A report that is to be sent: the row is there before a letter is.
CREATE TABLE report (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    report INTEGER NOT NULL,
    kind TEXT NOT NULL,
    day TEXT NOT NULL,                   -- the whole day that it is about
    due_at INTEGER,                      -- null: somebody asked for it
    made_at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    PRIMARY KEY (organisation, project, report)
) WITHOUT ROWID;
CREATE UNIQUE INDEX report_once ON report (organisation, project, kind, day) WHERE due_at IS NOT NULL;

-- A letter with it, to one person. A letter that is sent again is the same letter.
CREATE TABLE report_letter (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    report INTEGER NOT NULL,
    whom TEXT NOT NULL,
    message_id TEXT NOT NULL,
    begun_at INTEGER,                    -- when it was last about to be sent
    sent_at INTEGER,
    tries INTEGER NOT NULL,
    try_at INTEGER NOT NULL,             -- not before
    said TEXT,                           -- why the last try failed
    PRIMARY KEY (organisation, project, report, whom)
) WITHOUT ROWID;

-- Something that needs a person.
CREATE TABLE alert (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    alert INTEGER NOT NULL,
    kind TEXT NOT NULL,
    about TEXT NOT NULL,
    what TEXT NOT NULL,                  -- without any content or subject
    raised_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    cleared_at INTEGER,
    PRIMARY KEY (organisation, project, alert)
) WITHOUT ROWID;
CREATE UNIQUE INDEX alert_open ON alert (organisation, project, kind, about) WHERE cleared_at IS NULL;

-- Who is to be told of it, and of its end: the row is there before they are.
CREATE TABLE alert_telling (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    alert INTEGER NOT NULL,
    event TEXT NOT NULL,                 -- raised, over
    way TEXT NOT NULL,                   -- mail, webhook
    whom TEXT NOT NULL,
    message_id TEXT,                     -- of the letter that it was first put into
    told_at INTEGER,
    tries INTEGER NOT NULL,
    try_at INTEGER NOT NULL,
    said TEXT,
    PRIMARY KEY (organisation, project, alert, event, way, whom)
) WITHOUT ROWID;

-- When something that is watched was last seen to be well, and when it was last looked at.
CREATE TABLE watched (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    subject TEXT NOT NULL,
    well_at INTEGER NOT NULL,
    looked_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, subject)
) WITHOUT ROWID;
