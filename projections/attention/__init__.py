"""What needs attention now: promises, customers who wait, and complaints, in one list."""
