"""The text of an enrolment token: who may come in, and by which root the collector is known. Pure."""

from __future__ import annotations

import base64
import binascii

import msgspec

from sitewarden_agent.errors import Permanent

PREFIX = "swt1_"


class Token(msgspec.Struct, frozen=True):
    """A one-time token. `secret` must not be shown or logged."""

    token_id: str = msgspec.field(name="i")
    secret: str = msgspec.field(name="s")
    root_sha256: str = msgspec.field(name="f")
    endpoints: tuple[str, ...] = msgspec.field(name="e", default=())

    def __repr__(self) -> str:
        return f"Token({self.token_id})"


def read(text: str) -> Token:
    """Raises Permanent for what is no token."""
    text = "".join(text.split())  # mail programs break long lines
    if not text.startswith(PREFIX):
        raise Permanent(f"This is not an enrolment token: it must begin with {PREFIX}. Copy the whole of it again.")
    packed = text.removeprefix(PREFIX)
    try:
        token = msgspec.json.decode(
            base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True), type=Token
        )
        if len(bytes.fromhex(token.root_sha256)) != 32:
            raise ValueError("the fingerprint has another length")
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError):
        raise Permanent("This enrolment token is damaged or cut off. Copy the whole of it again.") from None
    return token
