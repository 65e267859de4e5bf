"""Our own webhook: a JSON document by POST, with an idempotency key.

    POST /path
    Idempotency-Key: <the notice's id, the same at every attempt>
    {"id", "kind", "urgency", "person", "subject", "body", "created_at"}

A receiver that has seen the key answers 2xx and does nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sitewarden_collector.channels import http
from sitewarden_collector.channels.base import DEADLINE_S, Notice, Receipt


class WebhookChannel:
    def __init__(self, name: str, url: str, *, deadline_s: float = DEADLINE_S) -> None:
        """`url` is http:// or https://; a user and password in it become an Authorization header."""
        self.name = name
        self.deadline_s = deadline_s
        self._address = http.parse(name, url)
        self._kept = http.Kept()  # the key below lets the receiver tell a repeat

    def send(self, notice: Notice) -> Receipt:
        payload = {
            "id": notice.id,
            "kind": notice.kind,
            "urgency": notice.urgency,
            "person": notice.person,
            "subject": notice.subject,
            "body": notice.body,
            "created_at": datetime.fromtimestamp(notice.created_ns // 1_000_000_000, UTC).isoformat(),
        }
        http.post_json(
            self.name,
            self._address,
            payload,
            headers={"Idempotency-Key": notice.id},
            deadline_s=self.deadline_s,
            kept=self._kept,
        )
        return Receipt(detail=f"taken by {self._address.origin}")
