-- What was last known of a governed project besides its record, and by which profile: for whoever looks at many projects at once.
CREATE TABLE programme_facts (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    profile TEXT NOT NULL,               -- as NAME@EDITION
    at INTEGER NOT NULL,
    facts TEXT NOT NULL,                 -- as JSON
    PRIMARY KEY (organisation, project)
);
