"""Sending webhooks: takes messages that are due, posts them signed, and settles what came of it.

Claim in one transaction, send outside any, settle in another. 2xx is delivered; 410 turns the subscription off;
everything else is tried again over about a day, then parked for somebody to look at. A receiver that hangs holds its
own few places and nobody else's. Some more of each subscription are claimed than are sent at once: a busy database is
asked once for several.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from cryptography.fernet import Fernet
from sqlalchemy import Connection

from sitewarden_alerting.model import HOUR_NS, MINUTE_NS, SECOND_NS
from sitewarden_collector.channels import outgoing
from sitewarden_collector.channels.outgoing import Answer
from sitewarden_collector.errors import ChannelRejected, ChannelUnavailable, NotFound
from sitewarden_collector.services import webhook_signing, webhooks
from sitewarden_collector.store import webhooks as stored
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.webhooks import Delivery

SLOTS = 8  # sent at once
SLOTS_PER_SUBSCRIPTION = 2
CLAIMED = 24
CLAIMED_PER_SUBSCRIPTION = 6  # the last of them begins within two deadlines, before its lease ends
DEADLINE_S = 15.0
# After the n-th attempt failed; together a day and a bit.
WAITS_NS = (
    5 * SECOND_NS,
    30 * SECOND_NS,
    2 * MINUTE_NS,
    10 * MINUTE_NS,
    30 * MINUTE_NS,
    HOUR_NS,
    2 * HOUR_NS,
    4 * HOUR_NS,
    8 * HOUR_NS,
    10 * HOUR_NS,
)
JITTER = 0.2
RETRY_AFTER_MAX_S = 3600

_log = logging.getLogger("sitewarden.webhooks")


class WebhookSender:
    """Sends what is due. `step` may be called as often as one likes, from one task; after `stop` no more."""

    def __init__(
        self,
        db: Database,
        sealing: Fernet,
        *,
        now_ns: Callable[[], int],
        allow_private: bool = False,
        deadline_s: float = DEADLINE_S,
        jitter: Callable[[], float] = random.random,
        on_settled: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._sealing = sealing
        self._now_ns = now_ns
        self._allow_private = allow_private
        self._deadline_s = deadline_s
        self._jitter = jitter
        self._on_settled = on_settled
        self.turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._had_more: set[str] = set()  # subscriptions of which more may wait than was claimed
        self._threads = ThreadPoolExecutor(SLOTS, thread_name_prefix="webhook")

    async def step(self) -> int:
        """Claim what is due and there is room for, start sending it, return how many."""
        async with self.turn:
            if len(self._under_way) >= CLAIMED:
                return 0
            taken = await self._db.run(self.claiming())
            self.begin(taken)
        return len(taken)

    def claiming(self) -> Callable[[Connection], list[Delivery]]:
        """What claims, in a transaction, as much as there is room for now; hold `turn` until `begin`."""
        room, busy = CLAIMED - len(self._under_way), dict(self._busy)

        def claim(tx: Connection) -> list[Delivery]:
            if room <= 0:
                return []
            return stored.claim(tx, room, now_ns=self._now_ns(), per_subscription=CLAIMED_PER_SUBSCRIPTION, busy=busy)

        return claim

    def begin(self, taken: Sequence[Delivery]) -> None:
        """Start sending what was claimed."""
        for delivery in taken:
            self._busy[delivery.subscription_id] += 1
            task = asyncio.create_task(self._deliver(delivery), name=f"webhook-{delivery.id}")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def idle(self) -> None:
        """Return when nothing is under way."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def stop(self, *, grace_s: float = 20.0) -> None:
        """Let what is under way settle. What does not within `grace_s` is sent again after its lease."""
        if self._under_way:
            _, late = await asyncio.wait(set(self._under_way), timeout=grace_s)
            for task in late:
                task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            gate = self._gates.setdefault(delivery.subscription_id, asyncio.Semaphore(SLOTS_PER_SUBSCRIPTION))
            async with gate:
                outcome = await self._send(delivery)
            result = await self._db.run(settle, delivery, outcome, jitter=self._jitter(), now_ns=self._now_ns())
            level = logging.INFO if result == "delivered" else logging.WARNING
            said = outcome.status if isinstance(outcome, Answer) else outcome
            _log.log(level, "webhook %s, message %s: %s (%s)", delivery.subscription_id, delivery.id, result, said)
        except Exception as error:  # noqa: BLE001  the lease brings the message back
            _log.error("webhook message %s could not be settled; it is sent again later", delivery.id, exc_info=error)
        finally:
            self._leave(delivery.subscription_id)

    def _leave(self, subscription_id: str) -> None:
        """One is done with; where something may have waited for a place, it is looked for before the last has left."""
        full = len(self._under_way) >= CLAIMED
        if self._busy[subscription_id] >= CLAIMED_PER_SUBSCRIPTION:
            self._had_more.add(subscription_id)
        self._busy[subscription_id] -= 1
        if full or (subscription_id in self._had_more and self._busy[subscription_id] <= SLOTS_PER_SUBSCRIPTION):
            self._had_more.discard(subscription_id)
            self._on_settled()

    async def _send(self, delivery: Delivery) -> Answer | Exception:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._send_now, delivery)
        except (ChannelRejected, ChannelUnavailable, NotFound) as error:
            return error
        except Exception as error:  # noqa: BLE001  a fault of ours must not stop the others
            _log.error("webhook message %s failed in an unforeseen way", delivery.id, exc_info=error)
            return ChannelUnavailable(f"unforeseen {type(error).__name__}")

    def _send_now(self, delivery: Delivery) -> Answer:
        """Post, on a thread of the webhooks."""
        subscription = self._db.read_now(stored.get, delivery.subscription_id)
        if not subscription.active:
            raise ChannelRejected(f"the webhook is off: {subscription.why_off}")
        body = delivery.payload.encode()
        now_ns = self._now_ns()
        secrets = webhooks.signing(self._sealing, subscription, now_ns=now_ns)
        headers = webhook_signing.headers(secrets, delivery.message_id, body, now_ns=now_ns)
        headers |= {
            "Content-Type": "application/json",
            "User-Agent": "sitewarden",
            "webhook-sequence": str(delivery.id),
        }
        return outgoing.post(
            subscription.url, body, headers=headers, deadline_s=self._deadline_s, allow_private=self._allow_private
        )


def settle(tx: Connection, delivery: Delivery, outcome: Answer | Exception, *, jitter: float, now_ns: int) -> str:
    """Write down what follows an attempt and say it: delivered, retry, parked, or overtaken."""
    if isinstance(outcome, Answer):
        answer, status = (
            outcome.body.decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}"),
            outcome.status,
        )
        if 200 <= status < 300:
            done = stored.settle(tx, delivery, "delivered", status=status, answer=answer, now_ns=now_ns)
            return "delivered" if done else "overtaken"
        if status == 410:
            why = "the receiver answered 410: it does not want to be told any more"
            stored.switch(tx, delivery.subscription_id, active=False, why=why)
        moved = ", and redirects are not followed: change the url" if 300 <= status < 400 else ""
        error = f"answered {status}{moved}"
        for_good = status == 410
    else:
        answer, status, error = "", None, str(outcome)
        for_good = isinstance(outcome, ChannelRejected | NotFound)
    again_ns = None if for_good else next_attempt(delivery.attempts, outcome, jitter=jitter, now_ns=now_ns)
    if again_ns is None:
        done = stored.settle(tx, delivery, "parked", status=status, answer=answer, error=error, now_ns=now_ns)
        return "parked" if done else "overtaken"
    done = stored.settle(
        tx, delivery, "pending", status=status, answer=answer, error=error, next_attempt_ns=again_ns, now_ns=now_ns
    )
    return "retry" if done else "overtaken"


def next_attempt(attempts: int, outcome: object, *, jitter: float, now_ns: int) -> int | None:
    """When to try again after so many attempts, a fifth earlier or later by chance; None when it is enough."""
    if attempts > len(WAITS_NS):
        return None
    wait_ns = round(WAITS_NS[max(attempts, 1) - 1] * (1 - JITTER + 2 * JITTER * jitter))
    asked = outcome.retry_after if isinstance(outcome, Answer) and outcome.status in (429, 503) else ""
    if asked.isascii() and asked.isdigit():
        wait_ns = max(wait_ns, min(int(asked[:9]), RETRY_AFTER_MAX_S) * SECOND_NS)
    return now_ns + wait_ns
