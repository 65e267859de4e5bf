"""Figures, never verdicts: what we promise about speed and size is measured here, with peers in the same run.

`python -m tests.bench [NAME ...]` runs the named benchmarks, or all. Each prints its method, the machine and its
figures; nothing here fails for being slow.
"""
