"""How people are reached: their channels in order, quiet hours, language; and a test of all that.

A person is named as their account is. Not here: whom a page goes to (`services.roster`), and sending.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from sitewarden_alerting.oncall.local import zone_of
from sitewarden_alerting.routing import URGENCY
from sitewarden_collector.errors import Invalid, NotFound
from sitewarden_collector.services import roster
from sitewarden_collector.store import changes, notices, people
from sitewarden_collector.store.people import Reachable

ROADS_MAX = 10
SUBJECT = "a test page of Sitewarden"
BODY = "Nothing is wrong. Somebody tries whether pages reach you by this channel."


def save(tx: Connection, person: Reachable, *, channels: Collection[str], now_ns: int) -> None:
    """Write how a person is reached. `channels` are those of the configuration. Raises Invalid."""
    if not person.name.strip() or len(person.name) > 200:
        raise Invalid("whom the channels reach needs a name of at most 200 characters")
    if len(person.roads) > ROADS_MAX:
        raise Invalid(f"{ROADS_MAX} channels are the most for one person")
    for road in person.roads:
        if road.channel not in channels:
            there = ", ".join(sorted(channels)) or "none"
            raise Invalid(f"there is no [channels.{road.channel}] in the configuration; there are: {there}")
    if (person.quiet_from is None) != (person.quiet_until is None):
        raise Invalid("quiet hours need both a beginning and an end; leave both empty for none")
    try:
        zone_of(person.zone)
    except ValueError as error:
        raise Invalid(str(error)) from error
    people.save(tx, person)
    changes.note(tx, "oncall", "", what="set_person", now_ns=now_ns)


def remove(tx: Connection, name: str, *, now_ns: int) -> None:
    """Forget how a person is reached. Raises NotFound."""
    people.remove(tx, name)
    changes.note(tx, "oncall", "", what="remove_person", now_ns=now_ns)


def test(tx: Connection, name: str, *, now_ns: int) -> int:
    """Send a person a test page by all of their channels; by how many. Raises NotFound."""
    known = roster.known(tx, [name])
    roads = known[name].roads if name in known else ()
    if not roads:
        raise NotFound(f"no channel reaches {name}; give them one first")
    for road in roads:
        notices.add(
            tx,
            kind="page",
            person=name,
            channel=road.channel,
            address=road.address,
            subject=SUBJECT,
            body=BODY,
            urgency=URGENCY["page"],
            dedup_key=f"test:{name}:{road.channel}:{now_ns}"[:255],
            now_ns=now_ns,
        )
    return len(roads)
