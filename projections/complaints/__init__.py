"""Read model: complaints and every step of their recovery."""
