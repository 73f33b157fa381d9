-- Step 7: the service: projects that processes keep in step by themselves.

-- A project as the service that answers for it last put it here. What a worker needs to know is sealed: it holds passwords.
CREATE TABLE served (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    is_served INTEGER NOT NULL,
    version INTEGER NOT NULL,             -- grows with each change
    digest BLOB NOT NULL,                -- keyed, of what is sealed
    sealed BLOB NOT NULL,
    share INTEGER NOT NULL,               -- of the work, beside the other projects
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project)
);

-- Processes that work. Each says every few seconds that it lives.
CREATE TABLE process (
    holder TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- serve, worker
    machine TEXT NOT NULL,
    program TEXT NOT NULL,               -- its version
    slots INTEGER NOT NULL,               -- mailboxes at once
    begun_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    drained_by TEXT,                     -- who asked it to finish and end
    PRIMARY KEY (holder)
) WITHOUT ROWID;

-- Where nothing more is begun until somebody says so: `all`, `mailbox/NUMBER`, `collection/NAME`, `endpoint/NAME`.
CREATE TABLE pause (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    scope TEXT NOT NULL,
    how TEXT NOT NULL,                   -- pause: what is under way stops where it is safe; drain: it goes on to its end
    said_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, scope)
) WITHOUT ROWID;

-- How much an endpoint may be asked: the moment from which the next request or byte is free, in microseconds.
CREATE TABLE pace (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    what TEXT NOT NULL,                  -- requests, bytes
    free_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, endpoint, what)
) WITHOUT ROWID;

-- What the service does at times: reports, alerts, issues. One process at a time.
CREATE TABLE chore (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    name TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    holder TEXT,
    lease_until INTEGER,
    done_at INTEGER,
    said TEXT,                           -- why it failed the last time
    PRIMARY KEY (organisation, project, name)
) WITHOUT ROWID;

-- Which database this is: another one when a server took over or a backup was brought back.
CREATE TABLE database_identity (
    identity TEXT NOT NULL
);

-- How long leases of a project's mailboxes run: what a claim that was lost may still last.
ALTER TABLE project ADD COLUMN lease_ms INTEGER NOT NULL DEFAULT 60000;

-- Turns that failed, one after the other; what may not be copied now; who is told of its changes, and until when.
ALTER TABLE mailbox ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN watcher TEXT;
ALTER TABLE mailbox ADD COLUMN watched_until INTEGER;
DROP INDEX mailbox_due;
CREATE INDEX mailbox_due ON mailbox (organisation, project, due_at, mailbox) WHERE due_at IS NOT NULL;
CREATE INDEX mailbox_held ON mailbox (organisation, project) WHERE holder IS NOT NULL;
CREATE INDEX mailbox_watched ON mailbox (organisation, project) WHERE watcher IS NOT NULL;
