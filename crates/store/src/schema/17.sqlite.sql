-- Who is between two sides is looked for at each claim.
CREATE INDEX mailbox_switching ON mailbox (organisation, project, due_at) WHERE phase = 'switching';
CREATE INDEX switch_order_back ON switch_order (organisation, project, mailbox) WHERE way = 'back';
