-- What is known of a mailbox's person before they are switched.
ALTER TABLE mailbox ADD COLUMN new_account INTEGER NOT NULL DEFAULT 0;   -- the account at the target was made by the project
ALTER TABLE mailbox ADD COLUMN activated INTEGER;                        -- its person has logged in there; null: not known
ALTER TABLE mailbox ADD COLUMN in_books INTEGER;                         -- both address books have them; null: not known
ALTER TABLE mailbox ADD COLUMN sharing_compared_at INTEGER;              -- when rights were last compared
ALTER TABLE mailbox ADD COLUMN sharing_missing INTEGER;                  -- how many were missing then

UPDATE mailbox SET new_account = 1 - target_in_use;

-- What happened in a governed project, appended and never altered.
CREATE TABLE programme_change (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    change TEXT NOT NULL,                -- as JSON
    PRIMARY KEY (organisation, project, seq)
) WITHOUT ROWID;

-- Evidence, by digest.
CREATE TABLE programme_evidence (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    digest BLOB NOT NULL,
    bytes BLOB NOT NULL,
    kept_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, digest)
);
