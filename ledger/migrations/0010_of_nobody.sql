-- Policies are looked up by their types: who looked at whom belongs to no customer either, and is far more.

CREATE INDEX events_of_nobody_by_type ON ledger.events (type, position) WHERE customer_id IS NULL;
DROP INDEX ledger.events_of_nobody;
