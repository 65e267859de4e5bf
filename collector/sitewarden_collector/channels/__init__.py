"""The roads out: one module a kind of channel, each the same small door (`base.Channel`).

`open_channel(name, url)` chooses by the URL's scheme. Nothing outside this package knows which services there are.
"""

from __future__ import annotations

from sitewarden_collector.channels.addressed import ADDRESS, AddressedChannel
from sitewarden_collector.channels.base import Channel, Notice, Receipt
from sitewarden_collector.errors import ConfigError

__all__ = ["Channel", "Notice", "Receipt", "open_channel"]


def open_channel(name: str, url: str) -> Channel:
    """The channel that `url` names: `stdout://`, `log://`, `webhook+https://...`, or an address as apprise writes it.

    Raises ConfigError when nothing understands the URL. No message contains the URL: it holds the service's secret.
    """
    if ADDRESS in url:
        return AddressedChannel(name, url, open_channel)
    scheme = url.partition(":")[0].strip().lower()
    match scheme:
        case "stdout" | "log":
            from sitewarden_collector.channels.terminal import LogChannel, StdoutChannel

            return StdoutChannel(name) if scheme == "stdout" else LogChannel(name)
        case "webhook+http" | "webhook+https":
            from sitewarden_collector.channels.webhook import WebhookChannel

            return WebhookChannel(name, url.strip().removeprefix("webhook+"))
        case "dingtalk" | "wecombot" | "feishu" | "lark":
            from sitewarden_collector.channels.bots import BotChannel

            return BotChannel(name, url.strip())
        case "" | "http" | "https":
            raise ConfigError(
                f"channel {name}: its url needs a scheme that names the service, such as mailtos://, slack://, "
                "dingtalk://, webhook+https:// or stdout://"
            )
        case _:
            from sitewarden_collector.channels.apprise_channel import AppriseChannel

            return AppriseChannel(name, url.strip())
