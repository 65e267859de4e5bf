"""Fault injection for on call: restarts, clock jumps, dead channels, storms; judged by what arrived at the channels.

`python -m tests.faults_oncall --runs 500 --alerts 100000` runs the full count; `test_sample` a seeded part of it.
"""
