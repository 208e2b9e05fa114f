"""Channels compared, from the tables of the other read models."""
