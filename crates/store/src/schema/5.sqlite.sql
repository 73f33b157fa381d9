-- Step 5: dates that an item could not keep, and what a removal knows of them.

-- When the source says that the item was received, where it travels with another date.
ALTER TABLE treatment ADD COLUMN source_received INTEGER;
ALTER TABLE removal ADD COLUMN source_received INTEGER;

-- What the target gave back, where it differs from what was sent.
ALTER TABLE removal ADD COLUMN read_back BLOB;
