"""What every channel promises.

`send` hands one notice to a service and returns once the service has taken it. It blocks, at most about `deadline_s`
seconds, and is called on a thread. It raises ChannelUnavailable when the same call may succeed later, and
ChannelRejected when it will fail again until somebody acts. Sending the same notice twice is allowed: `Notice.id` goes
along, so that a service or a reader can tell. Neither receipts nor errors contain a secret of the channel's URL.

Not here: when to try again, and who is next (`services.notifying`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

DEADLINE_S = 15.0


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one person. `id` stays the same however often it is sent."""

    id: str
    kind: str  # page, risk, recovery, info
    urgency: str
    person: str
    subject: str
    body: str
    created_ns: int
    address: str = ""  # for a channel whose url has {address} in it


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a service took a notice, in words for the log."""

    detail: str


class Channel(Protocol):
    @property
    def name(self) -> str:
        """As the configuration calls it."""

    @property
    def deadline_s(self) -> float:
        """After so many seconds a call counts as failed."""

    def send(self, notice: Notice) -> Receipt:
        """Hand the notice over. Raises ChannelUnavailable or ChannelRejected."""
