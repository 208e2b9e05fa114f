"""How the log of a Dutch municipality becomes events: a mapping for `servicetrail import`."""
