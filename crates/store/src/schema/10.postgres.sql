-- Step 10: what every pass asks, however many mailboxes and items there are.

-- Whose store it is.
CREATE INDEX mailbox_source_store ON mailbox (organisation, project, source_endpoint, source_store)
    WHERE source_store IS NOT NULL;
CREATE INDEX mailbox_target_store ON mailbox (organisation, project, target_endpoint, target_store)
    WHERE target_store IS NOT NULL;

-- Items that a rule left behind: few, and judged anew under other rules.
CREATE INDEX item_left ON item (organisation, project, endpoint, kind, folder, source_id) WHERE fate = 3;
