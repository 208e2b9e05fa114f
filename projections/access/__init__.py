"""Who looked at what of whom, and who changed what: the log of access."""
