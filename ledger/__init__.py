"""The append-only record on PostgreSQL, and the one door by which events enter it."""
