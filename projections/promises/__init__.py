"""Read model: promises and what became of them."""
