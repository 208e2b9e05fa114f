"""Proof that the ledger is whole and unaltered, and what an auditor asks of it."""
