"""The dead-man's switch: an agent that the vendor trusts with it tells by another road when headquarters is silent.

Set `url` under [deadman] and the agent posts a small JSON object there once headquarters has not been heard of for
`after_s`, and another when it is back. Told until it was taken, once each: a message that failed is tried again, and
what is over before anybody could be told is told as over only where its beginning was. The id is the same for every try
of one silence, so that a receiver can tell. Nothing of the site is in it but its name.

Where to put one: beside the collector it dies with it; put it on a host elsewhere. Not here: what counts as being heard
(`process`), and the collector's own heartbeat to the outside, which also covers a collector that answers and decides
nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sitewarden_agent.clock import Clock

LOOK_INTERVAL_S = 5.0
POST_TIMEOUT_S = 10.0
AGAIN_S = 30.0

log = logging.getLogger("sitewarden.deadman")


@dataclass(frozen=True, slots=True)
class Switch:
    """How things stand. Times are monotonic but `since_wall_ns`; `telling` is what must be told until it was taken."""

    heard_ns: int
    since_wall_ns: int
    silent: bool = False
    telling: str = ""  # silent or back
    tried_ns: int | None = None


def look(switch: Switch, *, heard: bool, after_s: float, now_ns: int, wall_ns: int) -> Switch:
    """The switch after a look at whether headquarters is heard now. Pure."""
    if heard:
        if switch.silent and switch.telling == "silent":
            switch = replace(switch, silent=False, telling="")  # nobody was told, so there is nothing to take back
        elif switch.silent:
            switch = replace(switch, silent=False, telling="back", tried_ns=None)
        return replace(switch, heard_ns=now_ns, since_wall_ns=switch.since_wall_ns if switch.telling else wall_ns)
    if not switch.silent and now_ns - switch.heard_ns >= after_s * 1e9:
        # Still telling that it was back? That is overtaken.
        return replace(switch, silent=True, telling="silent", tried_ns=None)
    return switch


def due(switch: Switch, *, now_ns: int) -> bool:
    """Whether to try to tell now. Pure."""
    return bool(switch.telling) and (switch.tried_ns is None or now_ns - switch.tried_ns >= AGAIN_S * 1e9)


def message(switch: Switch, *, agent_id: str, site: str) -> dict[str, Any]:
    """What is posted. Pure."""
    since = datetime.fromtimestamp(switch.since_wall_ns / 1e9, UTC).isoformat(timespec="seconds")
    silent = switch.telling == "silent"
    text = "has not been heard of since" if silent else "is heard of again; it was silent since"
    return {
        "id": f"{agent_id}:{switch.since_wall_ns}:{switch.telling}",
        "event": "collector_silent" if silent else "collector_back",
        "subject": f"Sitewarden's collector {text} {since}",
        "site": site,
        "since": since,
    }


async def watch(
    url: str, after_s: float, clock: Clock, *, heard: Callable[[], bool], who: Callable[[], tuple[str, str]]
) -> None:
    """Watch until cancelled. `heard` says whether headquarters is connected now, `who` the agent's id and site."""
    trust = ssl.create_default_context()
    switch = Switch(heard_ns=clock.monotonic_ns(), since_wall_ns=clock.wall_ns())
    while True:
        now_ns = clock.monotonic_ns()
        switch = look(switch, heard=heard(), after_s=after_s, now_ns=now_ns, wall_ns=clock.wall_ns())
        if due(switch, now_ns=now_ns):
            agent_id, site = who()
            told = message(switch, agent_id=agent_id, site=site)
            try:
                await asyncio.to_thread(post, url, told, trust)
                log.warning("told by the dead-man's switch: %s", told["subject"])
                switch = replace(switch, telling="")
            except Exception as error:  # noqa: BLE001  whatever it is: the alarm must be tried again
                log.error("the dead-man's switch could not tell (%s); again in %g s", type(error).__name__, AGAIN_S)
                switch = replace(switch, tried_ns=now_ns)
        await clock.sleep(LOOK_INTERVAL_S)


def post(url: str, told: dict[str, Any], trust: ssl.SSLContext) -> None:
    """Post and return when it was taken (2xx); raises OSError otherwise. Redirects and proxies are not followed."""
    request = urllib.request.Request(  # noqa: S310  the scheme was checked with the configuration
        url, data=json.dumps(told).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust), _NoRedirect()
    )
    with opener.open(request, timeout=POST_TIMEOUT_S):
        return


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        """A redirect is an error like any other answer that is not 2xx."""
