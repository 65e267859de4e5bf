"""Webhooks out: which programs are told of changes, and what became of each message."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import Field, StringConstraints

from sitewarden_collector.http_api.changing import Key, change, nothing
from sitewarden_collector.http_api.paging import Cursor, Limit, Page, page, window
from sitewarden_collector.http_api.shapes import In, Out, SettingsWriter, instant, moment
from sitewarden_collector.services import webhook_events, webhooks
from sitewarden_collector.services.once import Tx
from sitewarden_collector.services.webhooks import Made
from sitewarden_collector.store import webhooks as stored
from sitewarden_collector.store.webhooks import Delivery, State, Subscription
from sitewarden_collector.web.context import context

router = APIRouter(prefix="/webhooks", tags=["webhooks"])
Id = Annotated[str, Path(max_length=36)]
Number = Annotated[int, Path(ge=1, le=2**53)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class WebhookIn(In):
    url: Annotated[str, Field(max_length=2000)] = Field(examples=["https://hooks.example.com/sitewarden"])
    events: list[Pattern] = Field(
        default=["ticket.*"],
        min_length=1,
        max_length=50,
        description="patterns of `GET /webhooks/events`; * stands for anything",
    )
    customer: Annotated[str, Field(max_length=200)] = Field("", description="only what belongs to this customer")
    about: Annotated[str, Field(max_length=200)] = Field("", description="what it is for")


class SwitchIn(In):
    active: bool = Field(description="false: it is told nothing for the time being")


class WebhookOut(Out):
    """A program that is told. Messages are signed as Standard Webhooks has it."""

    id: str
    url: str
    events: list[str]
    customer: str
    about: str
    active: bool
    why_off: str
    waiting: int
    parked: int
    created: datetime
    created_by: str


class NewWebhookOut(WebhookOut):
    """A new one, with its secret: it is not shown again."""

    secret: str = Field(examples=["whsec_..."])


class SecretOut(Out):
    """Another secret; it is not shown again. Until `old_until` messages are signed with the one before as well."""

    secret: str = Field(examples=["whsec_..."])
    old_until: datetime


class EventNameOut(Out):
    event: str = Field(examples=["ticket.resolve_ticket"])
    about: str


class DeliveryOut(Out):
    """One message and how far it has come. `number` is its place among all messages."""

    number: int
    message: str = Field(description="webhook-id: the same at every attempt")
    webhook: str
    event: str
    ref: str = Field(description="the number or id of what it is about")
    state: State
    attempts: int
    status: int | None = Field(description="of the last answer")
    error: str
    answer: str
    created: datetime
    next_attempt: datetime | None
    delivered: datetime | None


class SentOut(Out):
    message: str = Field(description="the id of the message that is on its way")


@router.get("", operation_id="listWebhooks", summary="The programs that are told")
async def list_webhooks(request: Request, who: SettingsWriter) -> list[WebhookOut]:
    return await context(request).db.read(_listing)


@router.post(
    "",
    operation_id="addWebhook",
    summary="Tell a program from now on",
    status_code=201,
    response_model=NewWebhookOut,
)
async def add_webhook(
    request: Request, who: SettingsWriter, body: Annotated[WebhookIn, Body()], key: Key = ""
) -> Response:
    ctx = context(request)
    now_ns = ctx.now_ns()

    def effect(tx: Tx) -> Made:
        return webhooks.subscribe(
            tx,
            ctx.secret,
            url=body.url,
            events=body.events,
            customer=body.customer,
            about=body.about,
            by=who.name,
            now_ns=now_ns,
        )

    def shape(tx: Tx, made: Made) -> NewWebhookOut:
        return NewWebhookOut(**_out(tx, made.subscription, {}), secret=made.secret)

    return await change(request, who, effect, shape, key=key, status=201)


@router.get("/events", operation_id="listWebhookEvents", summary="Everything that a program can be told of")
async def list_events(request: Request, who: SettingsWriter) -> list[EventNameOut]:
    return [EventNameOut(event=name, about=about) for name, about in webhook_events.every().items()]


@router.post(
    "/{webhook_id}/secret",
    operation_id="rotateWebhookSecret",
    summary="Sign with another secret, and for a day with the one before too",
    response_model=SecretOut,
)
async def rotate(request: Request, who: SettingsWriter, webhook_id: Id, key: Key = "") -> Response:
    ctx = context(request)
    now_ns = ctx.now_ns()

    def shape(_tx: Tx, made: Made) -> SecretOut:
        return SecretOut(secret=made.secret, old_until=instant(made.subscription.old_until_ns))

    return await change(
        request, who, lambda tx: webhooks.rotate(tx, ctx.secret, webhook_id, now_ns=now_ns), shape, key=key
    )


@router.get(
    "/deliveries",
    operation_id="listWebhookDeliveries",
    summary="Messages and what became of them, the newest first",
    response_model=Page[DeliveryOut],
)
async def list_deliveries(
    request: Request,
    who: SettingsWriter,
    webhook: Annotated[str, Query(max_length=36, description="only those to this one")] = "",
    state: Annotated[list[State] | None, Query(max_length=5, description="any of these states")] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Any:
    asked = window(request, cursor=cursor, limit=limit)
    rows = await context(request).db.read(stored.page, asked, subscription_id=webhook, states=state or ())
    return page(request, rows, asked, shape=_delivery, keys=lambda one: (one.id,))


@router.post(
    "/deliveries/{number}/retry",
    operation_id="retryWebhookDelivery",
    summary="Send a message again",
    response_model=DeliveryOut,
)
async def retry(request: Request, who: SettingsWriter, number: Number, key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def shape(_tx: Tx, delivery: Delivery) -> DeliveryOut:
        return DeliveryOut(**_delivery(delivery))

    return await change(request, who, lambda tx: webhooks.retry(tx, number, now_ns=now_ns), shape, key=key)


@router.post(
    "/{webhook_id}/test",
    operation_id="testWebhook",
    summary="Send a message that means nothing",
    status_code=202,
    response_model=SentOut,
)
async def send_test(request: Request, who: SettingsWriter, webhook_id: Id, key: Key = "") -> Response:
    now_ns = context(request).now_ns()

    def effect(tx: Tx) -> str:
        return webhooks.test(tx, webhook_id, by=who.name, now_ns=now_ns)

    return await change(request, who, effect, lambda _tx, made: SentOut(message=made), key=key, status=202)


@router.patch(
    "/{webhook_id}", operation_id="switchWebhook", summary="Turn one off, or on again", response_model=WebhookOut
)
async def switch(
    request: Request, who: SettingsWriter, webhook_id: Id, body: Annotated[SwitchIn, Body()], key: Key = ""
) -> Response:
    def effect(tx: Tx) -> Subscription:
        return webhooks.switch(tx, webhook_id, active=body.active, by=who.name)

    def shape(tx: Tx, changed: Subscription) -> WebhookOut:
        return WebhookOut(**_out(tx, changed, stored.counts(tx)))

    return await change(request, who, effect, shape, key=key)


@router.delete("/{webhook_id}", operation_id="removeWebhook", summary="Tell it nothing any more", status_code=204)
async def remove(request: Request, who: SettingsWriter, webhook_id: Id, key: Key = "") -> Response:
    return await change(request, who, lambda tx: webhooks.remove(tx, webhook_id), nothing, key=key, status=204)


def _listing(tx: Tx) -> list[WebhookOut]:
    counts = stored.counts(tx)
    return [WebhookOut(**_out(tx, one, counts)) for one in stored.every(tx)]


def _out(tx: Tx, one: Subscription, counts: dict[tuple[str, str], int]) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "events": list(one.events),
        "customer": webhooks.customer_named(tx, one),
        "about": one.about,
        "active": one.active,
        "why_off": one.why_off,
        "waiting": counts.get((one.id, "pending"), 0) + counts.get((one.id, "sending"), 0),
        "parked": counts.get((one.id, "parked"), 0),
        "created": instant(one.created_ns),
        "created_by": one.created_by,
    }


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "number": one.id,
        "message": one.message_id,
        "webhook": one.subscription_id,
        "event": one.event,
        "ref": one.ref,
        "state": one.state,
        "attempts": one.attempts,
        "status": one.status,
        "error": one.last_error,
        "answer": one.answer,
        "created": instant(one.created_ns),
        "next_attempt": moment(one.next_attempt_ns) if one.state == "pending" else None,
        "delivered": moment(one.delivered_ns),
    }
