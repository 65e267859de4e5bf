"""Notices where the operator already looks: the terminal of `sitewarden serve`, or its log.

For the demo and the first hour of an installation; both need no service and no secret.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from sitewarden_collector.channels.base import DEADLINE_S, Notice, Receipt
from sitewarden_collector.errors import ChannelUnavailable

_log = logging.getLogger("sitewarden.channel")


class StdoutChannel:
    """Writes a notice as a block of lines."""

    deadline_s = DEADLINE_S

    def __init__(self, name: str, *, stream: TextIO | None = None) -> None:
        self.name = name
        self._stream = stream

    def send(self, notice: Notice) -> Receipt:
        body = "".join(f"  {line}\n" for line in notice.body.splitlines())
        text = f"[{notice.kind} to {notice.person}] {notice.subject}\n{body}"
        stream = self._stream or sys.stdout  # looked up late: the terminal may have been redirected since
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError) as error:
            raise ChannelUnavailable(f"channel {self.name}: the terminal cannot be written to: {error}") from error
        return Receipt(detail="written to the terminal")


class LogChannel:
    """Writes a notice as one structured line of the collector's log."""

    deadline_s = DEADLINE_S

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, notice: Notice) -> Receipt:
        _log.warning(
            "%s for %s: %s",
            notice.kind,
            notice.person,
            notice.subject,
            extra={"notice_id": notice.id, "urgency": notice.urgency, "notice_body": notice.body},
        )
        return Receipt(detail="written to the log")
