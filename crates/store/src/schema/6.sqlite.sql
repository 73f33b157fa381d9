-- Step 6: people: what the directories say, what was decided about it, and what was made of it.

-- Who works on the people of a project: one at a time.
CREATE TABLE people_lease (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    holder TEXT,
    lease_until INTEGER,
    PRIMARY KEY (organisation, project)
) WITHOUT ROWID;

-- A directory that is read.
CREATE TABLE directory (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    directory INTEGER NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,                  -- source, platform
    cursor BLOB,                         -- null: never read to the end
    reading INTEGER NOT NULL,            -- number of the last reading that began
    read_at INTEGER,                     -- when the last one ended
    whole_at INTEGER,                    -- when the last whole one ended
    scope BLOB,                         -- digest of what says how it is read
    gone_accepted_at INTEGER,            -- when a person last took it that many are gone
    as_of INTEGER,                        -- when what was last read was written, where that is known
    PRIMARY KEY (organisation, project, directory),
    UNIQUE (organisation, project, name)
) WITHOUT ROWID;

CREATE TABLE directory_entry (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    directory INTEGER NOT NULL,
    entry_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest BLOB NOT NULL,                -- of entry
    entry TEXT NOT NULL,                 -- JSON
    reading INTEGER NOT NULL,            -- the last that told it
    first_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    gone_at INTEGER,
    PRIMARY KEY (organisation, project, directory, entry_key)
) WITHOUT ROWID;

-- What a directory says that can't be read as an entry.
CREATE TABLE directory_fault (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    directory INTEGER NOT NULL,
    place TEXT NOT NULL,
    entry_key TEXT,
    what TEXT NOT NULL,
    reading INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, directory, place)
) WITHOUT ROWID;

-- What people decided about an object. Only ever added to.
CREATE TABLE people_word (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    word INTEGER NOT NULL,
    directory TEXT NOT NULL,
    entry_key TEXT NOT NULL,
    what TEXT NOT NULL,                  -- JSON
    evidence TEXT NOT NULL,
    said_by TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, word)
) WITHOUT ROWID;

-- What is to be made: drafted, approved as it stands, carried out.
CREATE TABLE people_plan (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    plan INTEGER NOT NULL,
    digest BLOB NOT NULL,                -- of all its changes
    summary TEXT NOT NULL,               -- JSON
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    approved_by TEXT,
    approved_at INTEGER,
    ended_at INTEGER,                    -- carried out, withdrawn, or put aside by a later one
    withdrawn_by TEXT,
    PRIMARY KEY (organisation, project, plan)
) WITHOUT ROWID;

CREATE TABLE people_change (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    plan INTEGER NOT NULL,
    change INTEGER NOT NULL,
    directory TEXT NOT NULL,             -- the object it is for
    entry_key TEXT NOT NULL,
    what TEXT NOT NULL,                  -- JSON
    facts BLOB NOT NULL,                 -- what the object was when it was drafted
    state TEXT NOT NULL,                 -- todo, doing, done, submitted, refused, conflict
    account TEXT,                        -- the platform's key, where known
    said TEXT,
    secret BLOB,                         -- what its person first logs in with, encrypted, until it is made
    at INTEGER,
    PRIMARY KEY (organisation, project, plan, change)
) WITHOUT ROWID;

-- Accounts that were made.
CREATE TABLE people_account (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    directory TEXT NOT NULL,
    entry_key TEXT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- person, shared, …
    plan INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    password BLOB,                       -- what its person first logs in with, encrypted; null once handed over
    handed_over_at INTEGER,
    exemption TEXT,                      -- why it may be live without a forwarder (R-073), and who said so
    live_at INTEGER,
    PRIMARY KEY (organisation, project, directory, entry_key)
) WITHOUT ROWID;
CREATE UNIQUE INDEX people_account_once ON people_account (organisation, project, account);

-- Lists that somebody has signed: which rows, each as it was then.
CREATE TABLE people_signoff (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    signoff INTEGER NOT NULL,
    list TEXT NOT NULL,                  -- matching, sharing
    digest BLOB NOT NULL,
    signed_by TEXT NOT NULL,
    evidence TEXT NOT NULL,
    recorded_by TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, signoff)
) WITHOUT ROWID;

CREATE TABLE people_signed (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    signoff INTEGER NOT NULL,
    directory TEXT NOT NULL,
    entry_key TEXT NOT NULL,
    facts BLOB NOT NULL,
    PRIMARY KEY (organisation, project, signoff, directory, entry_key)
) WITHOUT ROWID;

-- The rights that were found on mail servers and in files, mailbox by mailbox, as they were last read.
CREATE TABLE sharing_read (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    origin TEXT NOT NULL,                -- an endpoint, or the file
    mailbox TEXT NOT NULL,
    found TEXT NOT NULL,                 -- JSON
    read_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, origin, mailbox)
) WITHOUT ROWID;

-- What owners decided about a right. Only ever added to.
CREATE TABLE sharing_word (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    word INTEGER NOT NULL,
    row_id TEXT NOT NULL,
    what TEXT NOT NULL,                  -- JSON
    evidence TEXT NOT NULL,
    said_by TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, word)
) WITHOUT ROWID;

-- Files of people that were handed in, by hand or by mail: one row a message, or a file given by hand.
CREATE TABLE people_submission (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    submission INTEGER NOT NULL,
    place TEXT NOT NULL,                 -- where it was found: a message's place in its mailbox
    connector TEXT NOT NULL,             -- the directory that its rows are of
    message_id TEXT,
    digest BLOB NOT NULL,                -- of the file; of a message without one
    sender TEXT,
    taken_by TEXT NOT NULL,
    file_name TEXT,
    file BLOB,
    state TEXT NOT NULL,                 -- refused, faulty, taken, planned, done, ended
    plan INTEGER,
    said TEXT,                           -- why nothing came of it
    detail TEXT NOT NULL,                -- JSON
    taken_at INTEGER NOT NULL,
    told_at INTEGER,                     -- its sender was told that it waits
    ended_at INTEGER,
    PRIMARY KEY (organisation, project, submission),
    UNIQUE (organisation, project, place)
) WITHOUT ROWID;

-- People who were asked whose an account under another organisation's code is.
CREATE TABLE people_confirmation (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    confirmation INTEGER NOT NULL,
    directory TEXT NOT NULL,             -- the object
    entry_key TEXT NOT NULL,
    account TEXT NOT NULL,
    bound BLOB NOT NULL,                 -- what both were, and what spoke for the account
    code BLOB NOT NULL,                  -- keyed tags: no code is kept
    account_code BLOB,
    address TEXT NOT NULL,
    account_address TEXT,
    asked_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL,                 -- sending, asked, answered, replaced, void
    tries INTEGER NOT NULL,                -- answers with a wrong code
    made_at INTEGER NOT NULL,
    sent_at INTEGER,
    ended_at INTEGER,
    said TEXT,                           -- why the last answer could not be taken
    PRIMARY KEY (organisation, project, confirmation)
) WITHOUT ROWID;
-- No two questions about one object are open.
CREATE UNIQUE INDEX people_confirmation_open ON people_confirmation (organisation, project, directory, entry_key)
    WHERE state IN ('sending', 'asked');

-- What became of each message of the mailbox that answers come to.
CREATE TABLE people_reply (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    place TEXT NOT NULL,                 -- a message's place in its mailbox
    message_id TEXT,
    sender TEXT,
    digest BLOB NOT NULL,                -- of what its sender wrote
    confirmation INTEGER,
    is_taken INTEGER NOT NULL,
    why TEXT,                            -- why its answer was not taken
    at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, place)
) WITHOUT ROWID;

-- A file that is uploaded or mailed. At most one has no end.
CREATE TABLE people_upload (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    upload INTEGER NOT NULL,
    directory TEXT NOT NULL,             -- the platform's
    plan INTEGER NOT NULL,
    changes TEXT NOT NULL,               -- JSON: numbers of changes of the plan, one a row, in the file's order
    sent_to TEXT NOT NULL,               -- a path, or an address
    message_id TEXT,                     -- of the letter; null: somebody uploads the file
    digest BLOB NOT NULL,
    file BLOB NOT NULL,
    detail TEXT NOT NULL,                -- JSON
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    sent_at INTEGER,                     -- null: it may be there, or not yet
    ended_at INTEGER,                    -- of every row something is known
    lost_by TEXT,                        -- who said that the portal never took what has no result
    PRIMARY KEY (organisation, project, upload)
) WITHOUT ROWID;

-- Result files that were read.
CREATE TABLE people_upload_result (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    upload INTEGER NOT NULL,
    digest BLOB NOT NULL,
    taken_by TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, upload, digest)
) WITHOUT ROWID;
