"""Read models: what people look at, built from the ledger and always able to be built again.

One folder per read model: `table.sql` (its tables), `fold.py` (pure: facts in, rows out),
`model.py` (which events it takes and how rows are written) and the queries with their `.sql`.
`runner` feeds them, `queries` is what web pages and commands ask.
"""
