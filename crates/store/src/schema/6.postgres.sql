-- Step 6: people: what the directories say, what was decided about it, and what was made of it.

-- Who works on the people of a project: one at a time.
CREATE TABLE people_lease (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    fence BIGINT NOT NULL,
    holder TEXT,
    lease_until BIGINT,
    PRIMARY KEY (organisation, project)
);

-- A directory that is read.
CREATE TABLE directory (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    directory BIGINT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,                  -- source, platform
    cursor BYTEA,                         -- null: never read to the end
    reading BIGINT NOT NULL,            -- number of the last reading that began
    read_at BIGINT,                     -- when the last one ended
    whole_at BIGINT,                    -- when the last whole one ended
    scope BYTEA,                         -- digest of what says how it is read
    gone_accepted_at BIGINT,            -- when a person last took it that many are gone
    as_of BIGINT,                        -- when what was last read was written, where that is known
    PRIMARY KEY (organisation, project, directory),
    UNIQUE (organisation, project, name)
);

CREATE TABLE directory_entry (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    directory BIGINT NOT NULL,
    entry_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL,                -- of entry
    entry TEXT NOT NULL,                 -- JSON
    reading BIGINT NOT NULL,            -- the last that told it
    first_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    gone_at BIGINT,
    PRIMARY KEY (organisation, project, directory, entry_key)
);

-- What a directory says that can't be read as an entry.
CREATE TABLE directory_fault (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    directory BIGINT NOT NULL,
    place TEXT NOT NULL,
    entry_key TEXT,
    what TEXT NOT NULL,
    reading BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, directory, place)
);

-- What people decided about an object. Only ever added to.
CREATE TABLE people_word (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    word BIGINT NOT NULL,
    directory TEXT NOT NULL,
    entry_key TEXT NOT NULL,
    what TEXT NOT NULL,                  -- JSON
    evidence TEXT NOT NULL,
    said_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, word)
);

-- What is to be made: drafted, approved as it stands, carried out.
CREATE TABLE people_plan (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    plan BIGINT NOT NULL,
    digest BYTEA NOT NULL,                -- of all its changes
    summary TEXT NOT NULL,               -- JSON
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    approved_by TEXT,
    approved_at BIGINT,
    ended_at BIGINT,                    -- carried out, withdrawn, or put aside by a later one
    withdrawn_by TEXT,
    PRIMARY KEY (organisation, project, plan)
);

CREATE TABLE people_change (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    plan BIGINT NOT NULL,
    change BIGINT NOT NULL,
    directory TEXT NOT NULL,             -- the object it is for
    entry_key TEXT NOT NULL,
    what TEXT NOT NULL,                  -- JSON
    facts BYTEA NOT NULL,                 -- what the object was when it was drafted
    state TEXT NOT NULL,                 -- todo, doing, done, submitted, refused, conflict
    account TEXT,                        -- the platform's key, where known
    said TEXT,
    secret BYTEA,                         -- what its person first logs in with, encrypted, until it is made
    at BIGINT,
    PRIMARY KEY (organisation, project, plan, change)
);

-- Accounts that were made.
CREATE TABLE people_account (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    directory TEXT NOT NULL,
    entry_key TEXT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- person, shared, …
    plan BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    password BYTEA,                       -- what its person first logs in with, encrypted; null once handed over
    handed_over_at BIGINT,
    exemption TEXT,                      -- why it may be live without a forwarder (R-073), and who said so
    live_at BIGINT,
    PRIMARY KEY (organisation, project, directory, entry_key)
);
CREATE UNIQUE INDEX people_account_once ON people_account (organisation, project, account);

-- Lists that somebody has signed: which rows, each as it was then.
CREATE TABLE people_signoff (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    signoff BIGINT NOT NULL,
    list TEXT NOT NULL,                  -- matching, sharing
    digest BYTEA NOT NULL,
    signed_by TEXT NOT NULL,
    evidence TEXT NOT NULL,
    recorded_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, signoff)
);

CREATE TABLE people_signed (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    signoff BIGINT NOT NULL,
    directory TEXT NOT NULL,
    entry_key TEXT NOT NULL,
    facts BYTEA NOT NULL,
    PRIMARY KEY (organisation, project, signoff, directory, entry_key)
);

-- The rights that were found on mail servers and in files, mailbox by mailbox, as they were last read.
CREATE TABLE sharing_read (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    origin TEXT NOT NULL,                -- an endpoint, or the file
    mailbox TEXT NOT NULL,
    found TEXT NOT NULL,                 -- JSON
    read_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, origin, mailbox)
);

-- What owners decided about a right. Only ever added to.
CREATE TABLE sharing_word (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    word BIGINT NOT NULL,
    row_id TEXT NOT NULL,
    what TEXT NOT NULL,                  -- JSON
    evidence TEXT NOT NULL,
    said_by TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, word)
);

-- Files of people that were handed in, by hand or by mail: one row a message, or a file given by hand.
CREATE TABLE people_submission (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    submission BIGINT NOT NULL,
    place TEXT NOT NULL,                 -- where it was found: a message's place in its mailbox
    connector TEXT NOT NULL,             -- the directory that its rows are of
    message_id TEXT,
    digest BYTEA NOT NULL,               -- of the file; of a message without one
    sender TEXT,
    taken_by TEXT NOT NULL,
    file_name TEXT,
    file BYTEA,
    state TEXT NOT NULL,                 -- refused, faulty, taken, planned, done, ended
    plan BIGINT,
    said TEXT,                           -- why nothing came of it
    detail TEXT NOT NULL,                -- JSON
    taken_at BIGINT NOT NULL,
    told_at BIGINT,                      -- its sender was told that it waits
    ended_at BIGINT,
    PRIMARY KEY (organisation, project, submission),
    UNIQUE (organisation, project, place)
);

-- People who were asked whose an account under another organisation's code is.
CREATE TABLE people_confirmation (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    confirmation BIGINT NOT NULL,
    directory TEXT NOT NULL,             -- the object
    entry_key TEXT NOT NULL,
    account TEXT NOT NULL,
    bound BYTEA NOT NULL,                 -- what both were, and what spoke for the account
    code BYTEA NOT NULL,                  -- keyed tags: no code is kept
    account_code BYTEA,
    address TEXT NOT NULL,
    account_address TEXT,
    asked_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    state TEXT NOT NULL,                 -- sending, asked, answered, replaced, void
    tries BIGINT NOT NULL,                -- answers with a wrong code
    made_at BIGINT NOT NULL,
    sent_at BIGINT,
    ended_at BIGINT,
    said TEXT,                           -- why the last answer could not be taken
    PRIMARY KEY (organisation, project, confirmation)
);
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
    digest BYTEA NOT NULL,                -- of what its sender wrote
    confirmation BIGINT,
    is_taken INTEGER NOT NULL,
    why TEXT,                            -- why its answer was not taken
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, place)
);

-- A file that is uploaded or mailed. At most one has no end.
CREATE TABLE people_upload (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    upload BIGINT NOT NULL,
    directory TEXT NOT NULL,             -- the platform's
    plan BIGINT NOT NULL,
    changes TEXT NOT NULL,               -- JSON: numbers of changes of the plan, one a row, in the file's order
    sent_to TEXT NOT NULL,               -- a path, or an address
    message_id TEXT,                     -- of the letter; null: somebody uploads the file
    digest BYTEA NOT NULL,
    file BYTEA NOT NULL,
    detail TEXT NOT NULL,                -- JSON
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    sent_at BIGINT,                     -- null: it may be there, or not yet
    ended_at BIGINT,                    -- of every row something is known
    lost_by TEXT,                        -- who said that the portal never took what has no result
    PRIMARY KEY (organisation, project, upload)
);

-- Result files that were read.
CREATE TABLE people_upload_result (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    upload BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    taken_by TEXT NOT NULL,
    taken_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, upload, digest)
);
