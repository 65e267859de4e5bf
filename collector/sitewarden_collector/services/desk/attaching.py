"""Files at tickets: taken within limits, sealed under the key outside the database, and given back only if whole."""

from __future__ import annotations

from hashlib import sha256
from pathlib import PurePosixPath, PureWindowsPath

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection

from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services.desk import sniffing
from sitewarden_collector.services.desk.changing import noted, taken
from sitewarden_collector.services.desk.comments import VISIBILITIES
from sitewarden_collector.store import attachments
from sitewarden_collector.store.attachments import Attachment
from sitewarden_collector.store.base import new_id

SIZE_MAX = 10 * 1024 * 1024  # whoever takes a file in reads at most one byte more than this
TICKET_MAX = 100 * 1024 * 1024
NAME_MAX_CHARS = 200


def attach(
    tx: Connection,
    number: str,
    name: str,
    content: bytes,
    secret: Fernet,
    *,
    by: str,
    now_ns: int,
    visibility: str = "internal",
) -> Attachment:
    """Keep a file with the ticket. Raises Invalid for one that is empty, too big, or not what its name says."""
    if visibility not in VISIBILITIES:
        raise Invalid(f"an attachment cannot be {visibility!r}; it is {' or '.join(VISIBILITIES)}")
    plain = _name(name)
    if not content:
        raise Invalid(f"{plain} is empty")
    if len(content) > SIZE_MAX:
        raise Invalid(f"{plain} has more than {SIZE_MAX // 1024 // 1024} MiB; compress it or cut out what matters")
    found = sniffing.media_type(plain, content)
    ticket = taken(tx, number)
    if attachments.total(tx, ticket.id) + len(content) > TICKET_MAX:
        raise Conflict(f"the files of {ticket.number} would be more than {TICKET_MAX // 1024 // 1024} MiB together")
    made = Attachment(
        id=new_id(),
        ticket_id=ticket.id,
        customer_id=ticket.customer_id,
        at_ns=now_ns,
        by=by,
        visibility=visibility,
        name=plain,
        media_type=found,
        size=len(content),
        sha256=sha256(content).hexdigest(),
    )
    attachments.add(tx, made, secret.encrypt(content))
    data = {"attachment_id": made.id, "visibility": visibility, "sha256": made.sha256}
    noted(tx, ticket, "attach_file", f"{plain} ({len(content)} bytes)", by=by, now_ns=now_ns, data=data)
    return made


def content_of(tx: Connection, attachment_id: str, secret: Fernet) -> tuple[Attachment, bytes]:
    """A file and what it holds. Raises NotFound, and Conflict where its content is gone, damaged or under another
    key."""
    found = attachments.by_id(tx, attachment_id)
    sealed = attachments.sealed_of(tx, attachment_id)
    if sealed is None:
        raise Conflict(f"the content of {found.name} is missing from the database; restore it from a backup")
    try:
        content = secret.decrypt(sealed)
    except InvalidToken:
        raise Conflict(
            f"{found.name} cannot be opened: it is damaged, or sealed under another key than the one in use; restore "
            "the key that it was written under, or the database from a backup"
        ) from None
    if sha256(content).hexdigest() != found.sha256:
        raise Conflict(f"{found.name} is not the file that was attached (its sha256 differs); restore a backup")
    return found, content


def of_ticket(tx: Connection, ticket_id: str, customer_only: bool) -> list[Attachment]:
    """The files of a ticket, the oldest first; with `customer_only` those that the customer may see."""
    return attachments.of_ticket(tx, ticket_id, customer_only=customer_only)


def _name(name: str) -> str:
    """The name without folders and without what a terminal or a header would stumble over. Raises Invalid."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    clean = "".join(char for char in last if char.isprintable() and char not in '"\\/').strip(" .")
    if not clean:
        raise Invalid(f"{name!r} is no name for a file")
    return clean[-NAME_MAX_CHARS:]
