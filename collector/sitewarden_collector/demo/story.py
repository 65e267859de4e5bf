"""What the demo tells: it breaks the product, waits for each thing that has to follow, and says when it did.

Every step looks at the real thing: the database, the phone, what a command prints. A step that does not come within the
time that is left fails the story with what was waited for and the last words of the processes.
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sitewarden_collector.demo.phone import Phone
from sitewarden_collector.demo.stage import Stage, StageError
from sitewarden_collector.store import observations, sites
from sitewarden_collector.store.engine import Database

T = TypeVar("T")

FOLDER_LIMIT_BYTES = 60 * 1024 * 1024
ERROR = 4  # Severity.ERROR
LOOK_INTERVAL_S = 0.1
COMMAND_INTERVAL_S = 0.5


@dataclass
class Story:
    """One telling. All is counted from `started_s` (monotonic), and may take `limit_s`."""

    stage: Stage
    db: Database
    phone: Phone
    product_url: str
    billing_log: Path
    started_s: float
    limit_s: float

    def tell(self) -> str:
        """Play it to its end and return the number of the ticket. Raises StageError."""
        self._wait_for("the agent's first look at the healthy product", self._probe_ok)
        self._say("agent enrolled over mutual TLS; product, log and host are watched, all is well")
        self._request("/break")
        self._say("the product has just lost its database, for real")

        seen = self._wait_for("the exception to arrive at headquarters", self._error)
        first_line = seen.message.splitlines()[0]
        self._say(f"observation arrived: {seen.component} {first_line}\n           {seen.file} byte {seen.offset}")

        ticket = self._wait_for("an incident ticket for it", self._log_ticket, every_s=COMMAND_INTERVAL_S)
        number = str(ticket["number"])
        self._say(f"incident ticket {number} opened: {ticket['title']}")
        self._quote(self.stage.run(self.stage.headquarters("ticket", "show", number)), lines=18)

        self._say(f"the contract of {ticket['customer']} counts:")
        self._quote(self.stage.run(self.stage.headquarters("sla", "show", number)), lines=10)

        page = self._wait_for("ada's phone to ring", lambda: self._rang(number))
        self._say(f"on-call engineer ada notified: {page.get('subject', '')}")

        probe = self._wait_for("a ticket for the red health page", self._probe_ticket, every_s=COMMAND_INTERVAL_S)
        self._say(f"incident ticket {probe['number']} opened: {probe['title']}")

        with self.billing_log.open("a") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} ERROR billing.export: invoice run failed: disk quota\n")
        other = self._wait_for("a ticket at the other customer", self._other_ticket, every_s=COMMAND_INTERVAL_S)
        self._say(f"incident ticket {other['number']} opened at {other['site']}, under {other['customer']}'s contract")

        risk = self._wait_for("a risk warning for the data folder", self._folder_risk, every_s=COMMAND_INTERVAL_S)
        self._say(f"risk warning {risk['number']} raised: {risk['text']}")

        self.stage.run(
            self.stage.headquarters(
                *("notice", "send", "--site", self.stage.site, "--category", "patch", "--reference", "2.4.2"),
                *("--subject", "Order service 2.4.2 keeps orders when its database is gone"),
                *("--body", f"Fixes {number}. Until then: restart the database, then the service."),
            )
        )
        notice = self._wait_for("the patch notice at the site", self._notice, every_s=COMMAND_INTERVAL_S)
        self._say(f"patch notice shown at the site: {notice['subject']}")
        return number

    def _wait_for(self, what: str, look: Callable[[], T | None], *, every_s: float = LOOK_INTERVAL_S) -> T:
        while time.monotonic() - self.started_s < self.limit_s:
            for name, process in self.stage.processes.items():
                if process.poll() is not None:
                    raise StageError(
                        f"the {name} stopped (exit code {process.returncode}) while waiting for {what}:\n"
                        f"{self.stage.last_words(name)}"
                    )
            if (found := look()) is not None:
                return found
            time.sleep(every_s)
        raise StageError(
            f"waited for {what}, in vain, for {self.limit_s:.0f} s since the start.\n"
            f"The collector's last words:\n{self.stage.last_words('collector')}\n"
            f"The agent's last words:\n{self.stage.last_words('agent')}"
        )

    def _say(self, text: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - self.started_s:6.1f} s] {text}\n")
        sys.stdout.flush()

    def _quote(self, text: str, *, lines: int) -> None:
        for line in text.splitlines()[:lines]:
            sys.stdout.write(f"           | {line}\n")

    def _request(self, path: str) -> None:
        host = urlsplit(self.product_url).netloc
        with closing(http.client.HTTPConnection(host, timeout=5)) as connection:
            connection.request("POST", path)
            connection.getresponse().read()

    def _observations(self) -> list[Any]:
        site = self.db.read_now(sites.by_name, self.stage.site)
        return [
            each.what for each in self.db.read_now(observations.of_site, site.id, since_ns=0, until_ns=time.time_ns())
        ]

    def _probe_ok(self) -> Any:
        return next((what for what in self._observations() if getattr(what, "ok", False)), None)

    def _error(self) -> Any:
        return next((what for what in self._observations() if getattr(what, "severity", 0) >= ERROR), None)

    def _tickets(self) -> list[dict[str, Any]]:
        return self.stage.listing(self.stage.headquarters("ticket", "list"))

    def _log_ticket(self) -> dict[str, Any] | None:
        here = (ticket for ticket in self._tickets() if ticket["site"] == self.stage.site)
        return next((ticket for ticket in here if "probe" not in ticket["title"].lower()), None)

    def _probe_ticket(self) -> dict[str, Any] | None:
        return next((ticket for ticket in self._tickets() if "probe" in ticket["title"].lower()), None)

    def _other_ticket(self) -> dict[str, Any] | None:
        return next((ticket for ticket in self._tickets() if ticket["site"] != self.stage.site), None)

    def _rang(self, number: str) -> dict[str, Any] | None:
        return next((message for message in self.phone.messages if number in str(message)), None)

    def _folder_risk(self) -> dict[str, Any] | None:
        risks = self.stage.listing(self.stage.headquarters("risk", "list"))
        return next((risk for risk in risks if "orders-data" in str(risk)), None)

    def _notice(self) -> dict[str, Any] | None:
        notices = self.stage.listing(self.stage.at_site("notices"))
        return next((notice for notice in notices if notice["category"] == "patch"), None)
