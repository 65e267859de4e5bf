"""Torture: real processes on real files over a real link, killed, cut, slowed and starved of disk, and then compared.

Traffic (`workload`) x failures (`failures`) x validation (`oracle`). What was written is known to the writer, which is
never killed; what is stored is read from the collector's database. Nothing may be missing and nothing may be there
twice. `python -m tests.torture --kills 500` runs the full count; the tests of this folder run a seeded sample.
"""
