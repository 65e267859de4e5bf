"""What goes on around tickets: risks, silences, notices to people, faults, and the rules in force."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import Field

from sitewarden_alerting.model import Risk, Silence
from sitewarden_alerting.reading.severity import Severity
from sitewarden_collector.errors import Forbidden
from sitewarden_collector.http_api.changing import Key, change
from sitewarden_collector.http_api.paging import Cursor, Limit, Page, page, window
from sitewarden_collector.http_api.shapes import (
    In,
    Line,
    Number,
    Out,
    Silencer,
    SitesReader,
    Text,
    TicketsReader,
    TicketsWorker,
    instant,
    moment,
    narrowed,
)
from sitewarden_collector.services import rulepacks
from sitewarden_collector.services import silences as silencing
from sitewarden_collector.services.access import Role
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import listings, notices, risks, silences
from sitewarden_collector.store.notices import StoredNotice
from sitewarden_collector.store.pages import Window
from sitewarden_collector.web.context import context

router = APIRouter()
SiteName = Annotated[str, Query(max_length=200, description="the name of a site")]


class FactorOut(Out):
    name: str
    text: str
    weight: int


class RiskOut(Out):
    """Something that has not happened yet. The score is likelihood x impact, 1 to 25."""

    number: str = Field(examples=["RSK-1"])
    state: Literal["active", "lowered"]
    score: int
    likelihood: int
    impact: int
    site: str
    customer: str
    kind: str
    title: str
    text: str
    factors: list[FactorOut]
    response: str = Field(description="what to do about it")
    due: datetime | None
    expected: datetime | None
    earliest: datetime | None
    latest: datetime | None
    raised: datetime
    assessed: datetime


class SilenceOut(Out):
    """A time in which tickets and pages of a site are held back."""

    number: str = Field(examples=["SIL-1"])
    site: str
    fault: str
    rule: str
    begins: datetime
    until: datetime
    reason: str
    by: str
    held: int = Field(description="signals held back so far")


class SilenceIn(In):
    """Give a fault, or a rule, or neither: then everything at the site is silent."""

    site: Line = Field(examples=["acme-berlin"])
    fault: Annotated[str, Field(max_length=255)] = Field("", description="a fingerprint, or a ticket's number")
    rule: Annotated[str, Field(max_length=64)] = Field("", description="a rule; * stands for anything")
    for_s: int = Field(ge=1, le=366 * 86_400, description="how long, in seconds", examples=[7200])
    reason: Text = Field(description="why, for whoever wonders about the quiet", examples=["planned failover"])


class NoticeOut(Out):
    """One message to one person by one channel, and what became of it."""

    id: str
    kind: str
    person: str
    channel: str
    subject: str
    state: str
    attempts: int
    last_error: str
    created: datetime
    next_attempt: datetime | None
    sent: datetime | None


class RuleOut(Out):
    """A rule in force."""

    name: str
    severity: str
    page: bool
    title: str


@router.get("/risks", operation_id="listRisks", tags=["sites"], summary="Risks", response_model=Page[RiskOut])
async def list_risks(
    request: Request,
    who: SitesReader,
    site: SiteName = "",
    lowered: Annotated[bool, Query(description="also those that were taken back")] = False,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Any:
    asked = window(request, cursor=cursor, limit=limit)
    rows = await context(request).db.read(
        listings.risks_page, asked, narrowed=narrowed(who), site=site, lowered=lowered
    )
    return page(request, rows, asked, shape=_risk_out, keys=lambda one: (one.risk.raised_ns, one.risk.id))


@router.get(
    "/silences",
    operation_id="listSilences",
    tags=["silences"],
    summary="Silences that hold now, the newest first",
    response_model=Page[SilenceOut],
)
async def list_silences(
    request: Request,
    who: TicketsReader,
    site: SiteName = "",
    over: Annotated[bool, Query(description="also those that have ended")] = False,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Any:
    _ours_only(who.role)
    ctx = context(request)
    asked = window(request, cursor=cursor, limit=limit)
    since_ns = 0 if over else ctx.now_ns()
    rows = await ctx.db.read(listings.silences_page, asked, over_before_ns=since_ns, site=site)
    return page(
        request,
        rows,
        asked,
        shape=lambda one: _silence_out(one.silence, one.site, one.held),
        keys=lambda one: (one.silence.from_ns, one.silence.id),
    )


@router.post(
    "/silences",
    operation_id="addSilence",
    tags=["silences"],
    summary="Hold tickets and pages of a site back for a time",
    status_code=201,
    response_model=SilenceOut,
)
async def add_silence(request: Request, who: Silencer, body: Annotated[SilenceIn, Body()], key: Key = "") -> Response:
    ctx = context(request)
    names = [rule.name for rule in rulepacks.load(ctx.config.rules).rules] if body.rule else []
    now_ns = ctx.now_ns()

    def effect(tx: Tx) -> Silence:
        return silencing.add(
            tx,
            body.site,
            fault=body.fault,
            rule=body.rule,
            for_s=body.for_s,
            reason=body.reason,
            by=who.name,
            now_ns=now_ns,
            rules=names,
        )

    def shape(_tx: Tx, made: Silence) -> SilenceOut:
        return SilenceOut(**_silence_out(made, body.site, 0))

    return await change(request, who, effect, shape, key=key, status=201)


@router.post(
    "/silences/{number}/end",
    operation_id="endSilence",
    tags=["silences"],
    summary="End a silence now; what still goes on gets its ticket and its page",
    response_model=SilenceOut,
)
async def end_silence(request: Request, who: Silencer, number: Number, key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> Silence:
        silencing.end(tx, number, by=who.name, now_ns=now_ns)
        return silences.by_number(tx, number)

    def shape(tx: Tx, ended: Silence) -> SilenceOut:
        row = listings.silences_page(tx, Window(1), number=ended.number)[0]
        return SilenceOut(**_silence_out(row.silence, row.site, row.held))

    return await change(request, who, effect, shape, key=key)


@router.get(
    "/notices",
    operation_id="listNotices",
    tags=["on call"],
    summary="Notices to people and what became of them, the newest first",
    response_model=Page[NoticeOut],
)
async def list_notices(
    request: Request,
    who: TicketsWorker,
    state: Annotated[notices.State | None, Query(description="only those in this state")] = None,
    person: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Any:
    asked = window(request, cursor=cursor, limit=limit)
    rows = await context(request).db.read(listings.notices_page, asked, state=state or "", person=person)
    return page(request, rows, asked, shape=_notice_out, keys=lambda one: (one.created_ns, one.id))


@router.post(
    "/notices/{notice_id}/retry",
    operation_id="retryNotice",
    tags=["on call"],
    summary="Try a parked or failed notice again from the start",
    response_model=NoticeOut,
)
async def retry_notice(
    request: Request, who: TicketsWorker, notice_id: Annotated[str, Path(max_length=36)], key: Key = ""
) -> Response:
    now_ns = context(request).now_ns()

    def shape(_tx: Tx, notice: StoredNotice) -> NoticeOut:
        return NoticeOut(**_notice_out(notice))

    return await change(request, who, lambda tx: notices.retry(tx, notice_id, now_ns=now_ns), shape, key=key)


@router.get("/rules", operation_id="listRules", tags=["rules"], summary="The rules in force")
async def list_rules(request: Request, who: TicketsReader) -> list[RuleOut]:
    _ours_only(who.role)
    book = rulepacks.load(context(request).config.rules)
    return [
        RuleOut(name=rule.name, severity=Severity(rule.severity).name.lower(), page=rule.page, title=rule.title)
        for rule in book.rules
    ]


def _ours_only(role: Role) -> None:
    """Silences and rules are of all customers."""
    if role is Role.CUSTOMER:
        raise Forbidden("this is not shown to customers; ask the support team")


def _risk_out(one: risks.Listed) -> dict[str, Any]:
    risk: Risk = one.risk
    return {
        "number": risk.number,
        "state": risk.state.value,
        "score": risk.score,
        "likelihood": risk.likelihood,
        "impact": risk.impact,
        "site": one.site,
        "customer": one.customer,
        "kind": risk.kind,
        "title": risk.title,
        "text": risk.text,
        "factors": [FactorOut(name=f.name, text=f.text, weight=f.weight) for f in risk.factors],
        "response": risk.response,
        "due": moment(risk.due_ns),
        "expected": moment(risk.expected_ns),
        "earliest": moment(risk.early_ns),
        "latest": moment(risk.late_ns),
        "raised": instant(risk.raised_ns),
        "assessed": instant(risk.assessed_ns),
    }


def _silence_out(silence: Silence, site: str, held: int) -> dict[str, Any]:
    return {
        "number": silence.number,
        "site": site,
        "fault": silence.fault,
        "rule": silence.rule,
        "begins": instant(silence.from_ns),
        "until": instant(silence.until_ns),
        "reason": silence.reason,
        "by": silence.by,
        "held": held,
    }


def _notice_out(notice: StoredNotice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "kind": notice.kind,
        "person": notice.person,
        "channel": notice.channel,
        "subject": notice.subject,
        "state": notice.state,
        "attempts": notice.attempts,
        "last_error": notice.last_error or "",
        "created": instant(notice.created_ns),
        "next_attempt": moment(notice.next_attempt_ns) if notice.state == "pending" else None,
        "sent": moment(notice.sent_ns),
    }
