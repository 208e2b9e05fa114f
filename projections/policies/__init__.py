"""Read model: the rules that service is judged by, every version of them."""
