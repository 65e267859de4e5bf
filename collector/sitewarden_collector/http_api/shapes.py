"""What all resources of the API share: times, the parameters of listings, and the words for what may go wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from sitewarden_collector.errors import Invalid
from sitewarden_collector.services.access import Permission, Principal
from sitewarden_collector.store.listings import Narrowed
from sitewarden_collector.web.identity import need

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class In(BaseModel):
    """What somebody sends: unknown keys are refused, and texts lose the blanks around them."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Out(BaseModel):
    """What is answered."""

    model_config = ConfigDict(use_attribute_docstrings=True)


def _sane(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("say its zone, as in 2026-11-24T12:00:00Z")
    if not EARLIEST <= moment < LATEST:
        raise ValueError("this time is not between 1970 and 2200")
    return moment


Moment = Annotated[datetime, AfterValidator(_sane)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Number = Annotated[str, Path(max_length=64, description="the number, as INC-1001, in any case", examples=["INC-1001"])]
Search = Annotated[str, Query(max_length=200, description="a text that it must hold, in any case of letters")]

TicketsReader = Annotated[Principal, Depends(need(Permission.TICKETS_READ))]
TicketsReporter = Annotated[Principal, Depends(need(Permission.TICKETS_REPORT))]
TicketsWorker = Annotated[Principal, Depends(need(Permission.TICKETS_WORK))]
SitesReader = Annotated[Principal, Depends(need(Permission.SITES_READ))]
CustomersReader = Annotated[Principal, Depends(need(Permission.CUSTOMERS_READ))]
CustomersWriter = Annotated[Principal, Depends(need(Permission.CUSTOMERS_WRITE))]
OncallReader = Annotated[Principal, Depends(need(Permission.ONCALL_READ))]
OncallWriter = Annotated[Principal, Depends(need(Permission.ONCALL_WRITE))]
Silencer = Annotated[Principal, Depends(need(Permission.SILENCES_WRITE))]
Teller = Annotated[Principal, Depends(need(Permission.WEBHOOKS_IN))]
SettingsWriter = Annotated[Principal, Depends(need(Permission.SETTINGS_WRITE))]
Auditor = Annotated[Principal, Depends(need(Permission.AUDIT_READ))]


def narrowed(who: Principal) -> Narrowed:
    """What listings are narrowed to for somebody."""
    return Narrowed(who.only_customer, who.only_sites)


def moment(ns: int | None) -> datetime | None:
    """UTC, to the microsecond; None for what did not happen."""
    if not ns:
        return None
    seconds, rest = divmod(ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def instant(ns: int) -> datetime:
    """UTC, to the microsecond, of what did happen."""
    return moment(ns) or EARLIEST


def nanoseconds(at: datetime) -> int:
    """UTC nanoseconds of a time that says its zone."""
    if at.tzinfo is None:
        raise Invalid("a time here needs its zone, as in 2026-11-24T12:00:00Z")
    since = at - EARLIEST
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
