"""What can go wrong in the agent, and whether trying again helps.

    AgentError
    |-- Transient            the same call may succeed later: keep everything, back off
    |   |-- Refused          headquarters said no and named a time to come back
    |   `-- SpoolBusy        the other process held the spool too long
    `-- Permanent            the same call fails again until somebody acts: say what to do
        |-- ConfigError      the configuration file, with the place in it
        |-- RefusedForGood   headquarters said no for good
        |-- IdentityError    no usable key or certificate: enrol (again)
        `-- SpoolDamaged     the spool file cannot be read

Each message says what is wrong and what to do next, in words for the customer's administrator.
"""

from __future__ import annotations


class AgentError(Exception):
    """The base of all errors that the agent raises on purpose."""

    exit_code = 1


class Transient(AgentError):
    """Trying again can help."""


class Permanent(AgentError):
    """Trying again cannot help; somebody has to act."""


class Refused(Transient):
    """Headquarters refused for now."""

    def __init__(self, reason: str, message: str, *, retry_after_s: float = 0.0, keep_credential: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.keep_credential = keep_credential


class RefusedForGood(Permanent):
    """Headquarters refused for good."""

    def __init__(self, reason: str, message: str, *, keep_credential: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.keep_credential = keep_credential


class SpoolBusy(Transient):
    """The spool was locked by the other process for too long."""


class ConfigError(Permanent):
    """The configuration cannot be used."""

    exit_code = 2


class IdentityError(Permanent):
    """There is no usable identity."""


class SpoolDamaged(Permanent):
    """The spool file cannot be read."""
