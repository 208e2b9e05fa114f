"""Business time: how much of a stretch of time lies inside a calendar."""
