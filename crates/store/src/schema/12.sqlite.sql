-- Step 12: scripts that a person runs at a site.

-- The task is awaited by a person now; when it last was: what fails after that is new.
ALTER TABLE switch ADD COLUMN awaits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE switch ADD COLUMN awaited_at INTEGER;

-- A script. Its text never changes.
CREATE TABLE script (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    script INTEGER NOT NULL,             -- numbered from 1
    endpoint INTEGER NOT NULL,           -- whose router it is for
    router TEXT NOT NULL,                -- that router's name then
    step TEXT NOT NULL,                  -- read, redirect, release
    people INTEGER NOT NULL,             -- how many
    accounts TEXT NOT NULL,              -- whose, as JSON
    nonce TEXT NOT NULL,
    text TEXT NOT NULL,
    digest BLOB NOT NULL,                -- of the text
    written_at INTEGER NOT NULL,
    written_by TEXT NOT NULL,
    lapses_at INTEGER NOT NULL,          -- its action is not run after this
    signed_at INTEGER,
    signed_by TEXT,
    recorded_by TEXT,
    closed_at INTEGER,
    closed_as TEXT,                      -- supplied, void, withdrawn
    closed_by TEXT,
    reason TEXT,
    PRIMARY KEY (organisation, project, script)
) WITHOUT ROWID;

-- What is asked about an account of a router, and what was last read of it.
CREATE TABLE script_person (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    endpoint INTEGER NOT NULL,
    account TEXT NOT NULL,
    step TEXT,                           -- that is asked for; null: none
    ask TEXT,                            -- as JSON
    script INTEGER,                      -- that asks it; null: it is to be written
    seen TEXT,                           -- what was last read, as JSON
    seen_script INTEGER,                 -- by which
    doubt INTEGER NOT NULL DEFAULT 0,    -- what a script has read that was signed before this is not believed
    told TEXT,                           -- what the last change came to and nobody was told, as JSON
    PRIMARY KEY (organisation, project, endpoint, account)
) WITHOUT ROWID;
CREATE INDEX script_asked ON script_person (organisation, project, script) WHERE step IS NOT NULL;
