-- What was last known of a governed project besides its record, and by which profile: for whoever looks at many projects at once.
CREATE TABLE programme_facts (
    organisation BIGINT NOT NULL,
    project BIGINT NOT NULL,
    profile TEXT NOT NULL,               -- as NAME@EDITION
    at BIGINT NOT NULL,
    facts TEXT NOT NULL,                 -- as JSON
    PRIMARY KEY (organisation, project)
);
