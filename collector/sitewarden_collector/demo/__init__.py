"""The main job, shown on one machine: a small product fails for real, and everything that follows is real too.

`product` is the program that runs beside the agent; `stage` puts collector, agent and product up in a private folder
on free ports; `story` waits for each thing that should happen and tells it. Nothing here is used elsewhere.
"""
