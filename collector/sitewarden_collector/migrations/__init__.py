"""The steps that bring a database to this program's schema, run by `store.migrate` (see `python -m` in __main__)."""
