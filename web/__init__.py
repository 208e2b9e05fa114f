"""The HTTP API: events in, read models out."""
