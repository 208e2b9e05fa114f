"""A second reading of everything that is proven, apart from the code that seals.

Standard library only: these modules, one behind the other, are the `verify.py` in every evidence.
They import nothing of the program, and share no code with `audit.merkle`, `audit.notes`,
`audit.customers` and `audit.sealer`, so that a mistake made once is not made twice.
"""
