"""What development's tracker sends back: signed with the secret that reports to it are signed with."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.fernet import Fernet
from sqlalchemy import Connection

from sitewarden_collector.errors import Forbidden, NotFound
from sitewarden_collector.services import webhook_signing, webhooks
from sitewarden_collector.store import settings
from sitewarden_collector.store import webhooks as stored


def verify(tx: Connection, sealing: Fernet, headers: Mapping[str, str], body: bytes, *, now_ns: int) -> str:
    """The id of a message that the tracker signed; raises Forbidden."""
    try:
        subscription = stored.get(tx, str(settings.get(tx, "tracker") or ""))
    except NotFound as error:
        raise Forbidden("no tracker is set here; `sitewarden tracker set URL` does that") from error
    return webhook_signing.verify(webhooks.unsealed(sealing, subscription), headers, body, now_ns=now_ns)
