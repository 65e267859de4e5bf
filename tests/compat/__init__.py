"""What must go together: the agent's light wheel with other Pythons, this release with the one before.

`make compat` runs all of it (`__main__`); `make test` a small part (`test_sample`).

    pythons   the interpreters that can be had, and the agent's tests run on the installed light wheel in each
    releases  the agent of the last release against today's collector, and the reverse
"""
