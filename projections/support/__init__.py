"""Read model: what the back office was asked for, and how long the front waited for it."""
