"""Read model: what customers were worth to the organisation over time."""
