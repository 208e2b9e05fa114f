"""Read model: what customers were worth over time, what they bought, who they turned out to be."""
