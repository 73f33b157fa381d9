-- What the policy made of an item: replaced (it travels with notes in place of what is banned), left (it does not travel), or
-- noted (it travels as it is, and something could not be looked into). By which rule, of which policy. The original is
-- what the source holds; the item's digests are those of what travels.
CREATE TABLE treatment (
    organisation INTEGER NOT NULL,
    project INTEGER NOT NULL,
    folder BIGINT NOT NULL,
    source_id BYTEA NOT NULL,
    how TEXT NOT NULL,
    rule TEXT NOT NULL,
    policy TEXT NOT NULL,
    original BYTEA,
    original_size BIGINT NOT NULL,
    detail TEXT NOT NULL,                -- JSON: each file, with its name, size, SHA-256 and rule
    at BIGINT NOT NULL,
    PRIMARY KEY (organisation, project, folder, source_id)
);
