"""Comments: internal ones among engineers, and those that the customer sees or wrote.

The body rests in `store.comments`; the history has a `comment` event that says of which kind and names it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sitewarden_collector.errors import Invalid
from sitewarden_collector.services.desk.changing import noted, taken, text_of
from sitewarden_collector.store import comments
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.comments import Comment

VISIBILITIES = ("internal", "customer")


def add(
    tx: Connection,
    number: str,
    text: str,
    *,
    by: str,
    now_ns: int,
    visibility: str = "internal",
    from_customer: bool = False,
) -> Comment:
    """Say something. What the customer says is visible to them, and answers no clock of ours."""
    if visibility not in VISIBILITIES:
        raise Invalid(f"a comment cannot be {visibility!r}; it is {' or '.join(VISIBILITIES)}")
    ticket = taken(tx, number)
    comment = Comment(
        id=new_id(),
        ticket_id=ticket.id,
        customer_id=ticket.customer_id,
        at_ns=now_ns,
        by=by,
        visibility="customer" if from_customer else visibility,
        from_customer=from_customer,
        text=text_of(text, "the comment"),
    )
    comments.add(tx, comment)
    said = "the customer wrote" if from_customer else f"{by} {_WROTE[comment.visibility]}"
    data = {"visibility": comment.visibility, "comment_id": comment.id, "from_customer": from_customer}
    noted(tx, ticket, "comment", said, by=by, now_ns=now_ns, data=data)
    return comment


def of_ticket(tx: Connection, ticket_id: str, customer_only: bool) -> list[Comment]:
    """The comments of a ticket, the oldest first; with `customer_only` those that the customer may see."""
    return comments.of_ticket(tx, ticket_id, customer_only=customer_only)


_WROTE = {"internal": "wrote a note for engineers", "customer": "wrote to the customer"}
