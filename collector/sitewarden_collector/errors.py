"""What can go wrong in the collector, whose fault it is, and whether trying again helps.

    CollectorError
    |-- Transient              the same call may succeed later
    |   |-- DatabaseBusy       locked, full or gone for now
    |   `-- ChannelUnavailable a notification service did not take the notice this time
    `-- Permanent              the same call fails again until somebody acts
        |-- ConfigError        the configuration file, with the place in it
        |-- Refused            a caller's fault, with the reason that the wire knows
        |-- NotFound           no such ticket, site, token ...
        |-- Invalid            what was asked for makes no sense, with what would
        |-- Forbidden          whoever asks may not
        |-- Conflict           the thing is not in a state that allows this
        |-- DatabaseUnusable   damaged, of another version, or held by another collector
        `-- ChannelRejected    a notification service refused this notice for good

Each message says what is wrong and what to do next.
"""

from __future__ import annotations


class CollectorError(Exception):
    """The base of all errors that the collector raises on purpose."""

    exit_code = 1


class Transient(CollectorError):
    """Trying again can help."""


class Permanent(CollectorError):
    """Trying again cannot help; somebody has to act."""


class DatabaseBusy(Transient):
    """The database cannot take this now."""


class ChannelUnavailable(Transient):
    """A notification service did not take the notice this time."""


class MailboxUnavailable(Transient):
    """The mailbox of answers to pages could not be read this time."""


class ConfigError(Permanent):
    """The configuration cannot be used."""

    exit_code = 2


class Refused(Permanent):
    """A caller did what it may not. `reason` is the name of a Reason on the wire, without its prefix."""

    def __init__(self, reason: str, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s


class NotFound(Permanent):
    """There is no such thing."""


class Invalid(Permanent):
    """What was asked for makes no sense; the message says what would."""


class Forbidden(Permanent):
    """Whoever asks may not do this."""


class Conflict(Permanent):
    """The thing is not in a state that allows this."""


class DatabaseUnusable(Permanent):
    """The database is damaged, of another version, or held by another collector."""

    exit_code = 3


class ChannelRejected(Permanent):
    """A notification service refused this notice for good."""
