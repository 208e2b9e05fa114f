"""What customers did after their complaints, from the tables of the other read models."""
