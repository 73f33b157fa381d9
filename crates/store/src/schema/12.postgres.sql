-- Step 12: scripts that a person runs at a site.

-- The task is awaited by a person now; when it last was: what fails after that is new.
ALTER TABLE switch ADD COLUMN awaits SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE switch ADD COLUMN awaited_at BIGINT;

-- A script. Its text never changes.
CREATE TABLE script (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    script BIGINT NOT NULL,             -- numbered from 1
    endpoint BIGINT NOT NULL,           -- whose router it is for
    router TEXT NOT NULL,                -- that router's name then
    step TEXT NOT NULL,                  -- read, redirect, release
    people BIGINT NOT NULL,             -- how many
    accounts TEXT NOT NULL,              -- whose, as JSON
    nonce TEXT NOT NULL,
    text TEXT NOT NULL,
    digest BYTEA NOT NULL,                -- of the text
    written_at BIGINT NOT NULL,
    written_by TEXT NOT NULL,
    lapses_at BIGINT NOT NULL,          -- its action is not run after this
    signed_at BIGINT,
    signed_by TEXT,
    recorded_by TEXT,
    closed_at BIGINT,
    closed_as TEXT,                      -- supplied, void, withdrawn
    closed_by TEXT,
    reason TEXT,
    PRIMARY KEY (organisation, project, script)
);

-- What is asked about an account of a router, and what was last read of it.
CREATE TABLE script_person (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    endpoint BIGINT NOT NULL,
    account TEXT NOT NULL,
    step TEXT,                           -- that is asked for; null: none
    ask TEXT,                            -- as JSON
    script BIGINT,                      -- that asks it; null: it is to be written
    seen TEXT,                           -- what was last read, as JSON
    seen_script BIGINT,                 -- by which
    doubt BIGINT NOT NULL DEFAULT 0,    -- what a script has read that was signed before this is not believed
    told TEXT,                           -- what the last change came to and nobody was told, as JSON
    PRIMARY KEY (organisation, project, endpoint, account)
);
CREATE INDEX script_asked ON script_person (organisation, project, script) WHERE step IS NOT NULL;
