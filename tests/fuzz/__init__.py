"""Random input at every door that reads bytes from outside.

`make fuzz` (`python -m tests.fuzz --seconds N [--seed S] [--target NAME]`) runs each target for N seconds;
`test_fuzz_sample.py` runs a seeded sample of each with the tests. A target takes bytes and must hold its promises for
all of them: it returns a word for what happened, and raises only when a promise is broken. Inputs that made a new word
are kept as seeds for further ones.
"""
