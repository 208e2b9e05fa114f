"""Read model: everything that happened with a customer, in order."""
