-- Mail that a local server took for legacy addresses, day by day.
CREATE TABLE legacy_arrival (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    address TEXT NOT NULL,               -- in small letters
    sender TEXT NOT NULL,                -- of the envelope, in small letters; empty for a bounce, '?' where not known
    day TEXT NOT NULL,                   -- in the organisation's time zone
    messages INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, project, address, sender, day)
) WITHOUT ROWID;

-- How far the log of a local server was read.
CREATE TABLE log_read (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    log TEXT NOT NULL,                   -- its path
    place TEXT NOT NULL,                 -- as JSON
    watched_since INTEGER,               -- without a gap
    read_at INTEGER NOT NULL,
    number INTEGER NOT NULL,             -- one more with each reading
    PRIMARY KEY (organisation, project, log)
) WITHOUT ROWID;
