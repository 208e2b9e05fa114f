"""Read model: what customers said, or showed, that they think."""
