-- Whoever looks is recorded, and changes no answer but those about looking. To tell what the last event was
-- that can have changed one is asked with each answer, however many looks came after it.
CREATE INDEX events_but_looks ON ledger.events (position) WHERE type <> 'access.recorded.v1';
