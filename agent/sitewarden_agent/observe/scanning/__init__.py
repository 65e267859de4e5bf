"""Scanning: whole blocks of a log through one pass of a pattern engine, so that only what matters becomes objects.

`engine` chooses Hyperscan, RE2 or `re` by what this CPU can run; `scanner` holds the patterns of one log and tells the
lines of a block in which something may be; `skim` feeds an assembler those lines and what belongs to their records.
What must be found is told by `sitewarden_alerting.reading.prefilter`. No engine is loaded before a log is behind by a
block, or has patterns of its own: an agent that follows quiet logs pays nothing.
"""
