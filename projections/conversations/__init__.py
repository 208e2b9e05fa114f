"""Read model: touchpoints, the conversations they form, and how long customers waited in them."""
