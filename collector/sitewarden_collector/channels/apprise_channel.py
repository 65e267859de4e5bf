"""Mail, SMS, Slack, Teams and the many other services that apprise speaks, one URL each.

apprise says only whether a service took the notice; what kind of failure it was is read from the codes in its log:
`error=STATUS` for services over HTTP, `(CODE, b'...')` for mail (RFC 5321, section 4.2.1: 4xx may pass, 5xx will not).
A failure without a code may pass. Those logs hold the secrets of URLs, so they stay in `quiet`: only the code gets out.
"""

from __future__ import annotations

import logging
import re

import apprise

from sitewarden_collector.channels.base import DEADLINE_S, Notice, Receipt
from sitewarden_collector.channels.http import MAY_PASS
from sitewarden_collector.channels.quiet import instantiate
from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable, ConfigError

_HTTP_STATUS = re.compile(r"\berror=(\d{3})\b")
_MAIL_REPLY = re.compile(r"\((\d{3}), b['\"]")
_NOTIFY_TYPES = {
    "page": apprise.NotifyType.FAILURE,
    "risk": apprise.NotifyType.WARNING,
    "recovery": apprise.NotifyType.SUCCESS,
}


class AppriseChannel:
    def __init__(self, name: str, url: str, *, deadline_s: float = DEADLINE_S) -> None:
        """`url` as apprise documents it, e.g. `mailtos://user:password@mail.example?to=ada@example`."""
        self.name = name
        self.deadline_s = deadline_s
        service = instantiate(url)
        if service is None:
            raise ConfigError(
                f"channel {name}: apprise cannot use its url: compare it with the page of that service at "
                "https://appriseit.com/services/ (the url is not shown here because it holds a secret)"
            )
        self._service = str(service.service_name)
        self._apprise = apprise.Apprise(service)

    def send(self, notice: Notice) -> Receipt:
        result = self._apprise.notify(
            body=f"{notice.body}\n\nnotice {notice.id}",
            title=notice.subject,
            notify_type=_NOTIFY_TYPES.get(notice.kind, apprise.NotifyType.INFO),
            body_format=apprise.NotifyFormat.TEXT,
            interpret_escapes=False,
            timeout=self.deadline_s,
            log_level=logging.DEBUG,
        )
        if result:
            return Receipt(detail=f"taken by {self._service}")
        raise self._failure([str(entry.message) for entry in result.logs()])

    def _failure(self, lines: list[str]) -> ChannelUnavailable | ChannelRejected:
        for line in reversed(lines):
            if found := _HTTP_STATUS.search(line):
                status = int(found[1])
                passes = status in MAY_PASS or status >= 500
            elif found := _MAIL_REPLY.search(line):
                status = int(found[1])
                passes = status < 500
            else:
                continue
            if passes:
                return ChannelUnavailable(f"channel {self.name}: {self._service} answered {status}, which may pass")
            return ChannelRejected(
                f"channel {self.name}: {self._service} answered {status} and will again: check the channel's url, "
                "its password or token, and who it writes to"
            )
        return ChannelUnavailable(f"channel {self.name}: {self._service} could not be reached or gave no answer")
