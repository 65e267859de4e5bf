"""DingTalk, WeCom, Feishu and Lark group bots: services that say no with HTTP status 200.

apprise reads their addresses and makes DingTalk's signature, but takes every status 200 for a success. These services
put their refusal (a wrong token, a missing keyword, too many messages a minute) into the body of such an answer, so a
page would be lost in silence. Here the body decides: `errcode` (DingTalk, WeCom) or `code` (Feishu, Lark) must be 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from sitewarden_collector.channels import http
from sitewarden_collector.channels.base import DEADLINE_S, Notice, Receipt
from sitewarden_collector.channels.quiet import instantiate
from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable, ConfigError

# Busy, or too many messages for now: DingTalk and WeCom, then Feishu and Lark. Any other code fails again.
MAY_PASS = frozenset({-1, 45009, 90018, 90030, 130101} | {11232, 230020, 99991400})

# Bytes of text that the strictest of them takes (WeCom: 2048).
TEXT_MAX_BYTES = {"wecombot": 2000, "dingtalk": 18_000, "feishu": 18_000, "lark": 18_000}


class BotChannel:
    def __init__(self, name: str, url: str, *, origin: str | None = None, deadline_s: float = DEADLINE_S) -> None:
        """`url` as apprise writes it, e.g. `dingtalk://SECRET@TOKEN`. `origin` replaces the public service's
        scheme and host, for an installation of one's own."""
        self.name = name
        self.deadline_s = deadline_s
        self._scheme = url.partition(":")[0].lower()
        plugin = instantiate(url)
        if plugin is None:
            raise ConfigError(
                f"channel {name}: its url is not complete: compare it with the page of that service "
                "at https://appriseit.com/services/ (the url is not shown here because it holds a secret)"
            )
        self._plugin = plugin
        self._service = str(plugin.service_name)
        self._origin = origin

    def send(self, notice: Notice) -> Receipt:
        answer = http.post_json(
            self.name, self._address(), self._payload(notice), headers={}, deadline_s=self.deadline_s
        )
        code = code_of(answer)
        if code == 0:
            return Receipt(detail=f"taken by {self._service}")
        if code is None or code in MAY_PASS:
            shown = "something that is not its usual JSON" if code is None else f"code {code}"
            raise ChannelUnavailable(f"channel {self.name}: {self._service} answered {shown}, which may pass")
        raise ChannelRejected(
            f"channel {self.name}: {self._service} answered code {code} and will again: check the bot's token, secret "
            "and its list of keywords and addresses (the word Sitewarden stands in every notice)"
        )

    def _address(self) -> http.Address:
        plugin = self._plugin
        match self._scheme:
            case "dingtalk":
                url = plugin.notify_url.format(token=plugin.token)
                if plugin.secret:
                    stamp, signature = plugin.get_signature()  # the signature is quoted already
                    url += "&" + urlencode({"timestamp": stamp}) + f"&sign={signature}"
            case "wecombot":
                url = plugin.api_url
            case "feishu":
                url = plugin.notify_url.format(token=plugin.token).rstrip("/")
            case _:
                url = plugin.webhook_url
        if self._origin is not None:
            public = urlsplit(url)
            url = f"{self._origin}{public.path}?{public.query}"
        return http.parse(self.name, url)

    def _payload(self, notice: Notice) -> Mapping[str, Any]:
        text = f"[Sitewarden] {notice.subject}\n{notice.body}\nnotice {notice.id}"
        encoded = text.encode()
        limit = TEXT_MAX_BYTES[self._scheme]
        if len(encoded) > limit:
            text = encoded[: limit - 3].decode(errors="ignore") + "…"
        match self._scheme:
            case "dingtalk":
                return {"msgtype": "text", "text": {"content": text}, "at": {"atMobiles": self._plugin.targets}}
            case "wecombot":
                return {"msgtype": "text", "text": {"content": text}}
            case _:
                return {"msg_type": "text", "content": {"text": text}}


def code_of(answer: bytes) -> int | None:
    """The service's own code in its answer, 0 for taken; None when there is none to be found."""
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    for key in ("errcode", "code", "StatusCode"):
        if isinstance(code := said.get(key), int):
            return code
    return None
