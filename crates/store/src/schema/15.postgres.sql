-- What is known of a mailbox's person before they are switched.
ALTER TABLE mailbox ADD COLUMN new_account BIGINT NOT NULL DEFAULT 0;   -- the account at the target was made by the project
ALTER TABLE mailbox ADD COLUMN activated BIGINT;                        -- its person has logged in there; null: not known
ALTER TABLE mailbox ADD COLUMN in_books BIGINT;                         -- both address books have them; null: not known
ALTER TABLE mailbox ADD COLUMN sharing_compared_at BIGINT;              -- when rights were last compared
ALTER TABLE mailbox ADD COLUMN sharing_missing BIGINT;                  -- how many were missing then

UPDATE mailbox SET new_account = 1 - target_in_use;

-- What happened in a governed project, appended and never altered.
CREATE TABLE programme_change (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    change TEXT NOT NULL,                -- as JSON
    PRIMARY KEY (organisation, project, seq)
);

-- Evidence, by digest.
CREATE TABLE programme_evidence (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    bytes BYTEA NOT NULL,
    kept_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, digest)
);
