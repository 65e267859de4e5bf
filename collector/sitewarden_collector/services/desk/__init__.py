"""The work on tickets, one module a use case: reporting, moving, assigning, solutions, comments, merging, visits, ...

Each use case is a plain function `(tx, number, ..., *, by, now_ns)` that does it whole or raises NotFound, Conflict or
Invalid; history, clocks and whoever watches follow in its transaction. Not here: who may (`services.access`), and what
rules decide (`services.tickets`, `services.evaluation`).
"""
