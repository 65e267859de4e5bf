"""Signatures of webhooks as Standard Webhooks has them: HMAC-SHA256 over `id.timestamp.body`.

    webhook-id: msg_...            the same at every attempt
    webhook-timestamp: 1795521600  seconds; of this attempt
    webhook-signature: v1,<base64> one or several, with spaces between

A secret is `whsec_` and 32 bytes in base64. Not here: keeping it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256

from sitewarden_collector.errors import Forbidden, Invalid

PREFIX = "whsec_"
TOLERANCE_S = 300
KEY_MIN_BYTES, KEY_MAX_BYTES = 24, 64


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> None:
    """Raise Invalid, without quoting it, when this is no secret that messages can be signed with."""
    _key(secret)


def headers(secret: str | Sequence[str], message_id: str, body: bytes, *, now_ns: int) -> dict[str, str]:
    """The three headers of a message that is sent now, signed with one secret or with several."""
    known = (secret,) if isinstance(secret, str) else secret
    at_s = str(now_ns // 1_000_000_000)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": at_s,
        "webhook-signature": " ".join(f"v1,{_signature(one, message_id, at_s, body)}" for one in known),
    }


def verify(secret: str, given: Mapping[str, str], body: bytes, *, now_ns: int) -> str:
    """The id of a message whose signature is right and whose time is now. Raises Forbidden.

    `given` finds headers by their names in lower case.
    """
    message_id, at_s = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not message_id or not at_s.isascii() or not at_s.isdigit() or len(at_s) > 12:
        raise Forbidden("this message is not signed: it needs webhook-id, webhook-timestamp and webhook-signature")
    if abs(now_ns // 1_000_000_000 - int(at_s)) > TOLERANCE_S:
        raise Forbidden("this message was signed more than five minutes ago or ahead; set the sender's clock")
    right = _signature(secret, message_id, at_s, body).encode()
    for one in given.get("webhook-signature", "").split(" ")[:10]:
        version, _, signature = one.partition(",")
        if version == "v1" and hmac.compare_digest(signature.encode(), right):
            return message_id
    raise Forbidden("the signature is not right: compare the secrets on both sides")


def _signature(secret: str, message_id: str, at_s: str, body: bytes) -> str:
    signed = f"{message_id}.{at_s}.".encode() + body
    return base64.b64encode(hmac.new(_key(secret), signed, sha256).digest()).decode()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("a webhook's secret is whsec_ and base64; leave it out to have one made") from error
    if not secret.startswith(PREFIX) or not KEY_MIN_BYTES <= len(key) <= KEY_MAX_BYTES:
        raise Invalid("a webhook's secret is whsec_ and 24 to 64 bytes in base64; leave it out to have one made")
    return key
