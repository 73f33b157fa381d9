-- Step 13: old addresses on the target, and mailboxes closed to their people.

-- An old address of a person and how it stands on their account in the target's directory, since their switch.
CREATE TABLE old_address (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    address TEXT NOT NULL,               -- in small letters
    state TEXT NOT NULL,                 -- coming, ours, going; theirs: not by us; missing
    account TEXT,                        -- the key of the entry that it is to be on
    why TEXT,                            -- of one that is missing
    tries INTEGER NOT NULL,              -- in vain, since it is missing
    at INTEGER NOT NULL,                 -- when it came to this
    PRIMARY KEY (organisation, project, mailbox, address)
) WITHOUT ROWID;

-- A mailbox at the source that is closed to its person, or about to be. Without a row we have closed nothing.
CREATE TABLE closing (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    why TEXT NOT NULL,                   -- what it is closed for
    begun_at INTEGER NOT NULL,           -- before anything was done
    closed_at INTEGER,                   -- when it was read back; null: nobody knows
    waits TEXT,                          -- why the last try failed
    tries INTEGER NOT NULL,              -- in vain
    tried_at INTEGER,
    PRIMARY KEY (organisation, project, mailbox)
) WITHOUT ROWID;
