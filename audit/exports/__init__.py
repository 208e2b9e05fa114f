"""Exports: the history of a selection, in formats that other programs read.

No format has personal fields: what is exported is what events say without them.
"""
