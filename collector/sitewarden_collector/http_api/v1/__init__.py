"""The API's resources under /api/v1: every module here with a `router` is part of it.

A handler reads with `db.read` or changes by `changing.change`, and shapes what comes back; what a thing is and what may
be done with it stands in `services`.
"""
