"""Read model: what customers were told, and where it contradicts itself."""
