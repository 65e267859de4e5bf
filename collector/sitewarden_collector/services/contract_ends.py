"""Contracts that end soon are told to managers: 60, 30 and 7 days before their last day, once each.

`step` looks once a day. Where several of these days passed at once, after an outage of the collector or when a
contract was shortened, the last is told.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sitewarden_alerting.model import DAY_NS
from sitewarden_collector.services import contracts, webhooks
from sitewarden_collector.services.desk import informing
from sitewarden_collector.store import settings
from sitewarden_collector.store.contracts import Contract

DAYS_BEFORE = (60, 30, 7)
_SETTING = "contract_ends"


def step(tx: Connection, *, now_ns: int) -> int:
    """Tell what is to be told today; how many contracts."""
    kept = settings.get(tx, _SETTING) or {}
    today = now_ns // DAY_NS
    if kept.get("day") == today:
        return 0
    before: dict[str, list[str | int]] = kept.get("told", {})
    told: dict[str, list[str | int]] = {}
    done = 0
    for contract, left in contracts.ending(tx, now_ns=now_ns):
        passed = [days for days in DAYS_BEFORE if left <= days]
        if not passed:
            continue
        told[contract.id] = [contract.until_day, min(passed)]
        if before.get(contract.id) != told[contract.id]:
            _tell(tx, contract, left, min(passed), now_ns=now_ns)
            done += 1
    settings.put(tx, _SETTING, {"day": today, "told": told})
    return done


def _tell(tx: Connection, contract: Contract, left: int, days: int, *, now_ns: int) -> None:
    when = "today" if left == 0 else "tomorrow" if left == 1 else f"in {left} days"
    subject = f"{contract.number} {contract.name} of {contract.customer} ends {when}, on {contract.until_day}"
    informing.inform(
        tx,
        contract.customer_id,
        informing.managers(tx, contract.customer_id, now_ns=now_ns),
        subject=subject,
        body=f"{subject}. Afterwards the desk counts by its default.\n\n"
        f"Look:    sitewarden contract show {contract.number}\n"
        f"Extend:  sitewarden contract edit {contract.number} --until DATE",
        occasion=f"contract-end:{contract.id}:{contract.until_day}:{days}",
        now_ns=now_ns,
    )
    data = {
        "number": contract.number,
        "name": contract.name,
        "customer": contract.customer,
        "until": contract.until_day,
        "days": left,
    }
    webhooks.announce(
        tx, "contract.ends_soon", data, ref=contract.number, customer_id=contract.customer_id, now_ns=now_ns
    )
