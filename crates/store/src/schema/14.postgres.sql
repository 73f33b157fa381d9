-- Mail that a local server took for legacy addresses, day by day.
CREATE TABLE legacy_arrival (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    address TEXT NOT NULL,               -- in small letters
    sender TEXT NOT NULL,                -- of the envelope, in small letters; empty for a bounce, '?' where not known
    day TEXT NOT NULL,                   -- in the organisation's time zone
    messages BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, address, sender, day)
);

-- How far the log of a local server was read.
CREATE TABLE log_read (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    log TEXT NOT NULL,                   -- its path
    place TEXT NOT NULL,                 -- as JSON
    watched_since BIGINT,               -- without a gap
    read_at BIGINT NOT NULL,
    number BIGINT NOT NULL,             -- one more with each reading
    PRIMARY KEY (organisation, project, log)
);
