"""What link makes of a configuration from headquarters: whole and as sent on the desk, once, for observe to judge."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.link.control import Control, Offset
from sitewarden_agent.link.uplink import Pace
from sitewarden_agent.model import ConfigOffer, Outcome, OutcomeState
from sitewarden_agent.spool import Spool
from sitewarden_protos.v1 import common_pb2, control_pb2

FIRST, SECOND = uuid.UUID(int=1), uuid.UUID(int=2)
DOCUMENT = '# 慢一点\n[health]\ninterval_s = 20.0\n[[logs]]\nname = "\u001b"\n'


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool.open(tmp_path / "spool.db", clock=SystemClock())
    yield opened
    opened.close()


def take(
    spool: Spool, action_id: uuid.UUID, document: str = DOCUMENT, *, sha256: bytes | None = None, expires_ns: int = 0
) -> None:
    control = Control(
        spool, SystemClock(), common_pb2.Session(), Pace(), Offset(), draw=lambda: 0.5, learned=lambda addresses: None
    )
    config = control_pb2.SiteConfig(
        version=7,
        document=document,
        sha256=hashlib.sha256(document.encode()).digest() if sha256 is None else sha256,
    )
    action = control_pb2.Action(action_id=action_id.bytes, expires_unix_ns=expires_ns, config=config)
    control._act(action)


def told(spool: Spool) -> list[tuple[str, str]]:
    """The outcomes that wait for headquarters, and what they say."""
    sealed = spool.seal(1 << 20, 1_000)
    if sealed is None:
        return []
    spool.acknowledge(sealed.seq)
    whats = [each.what for each in sealed.observations]
    return [(what.state.value, what.detail) for what in whats if isinstance(what, Outcome)]


def test_it_lies_on_the_desk_as_it_was_sent_and_headquarters_hears_that_it_came(spool: Spool) -> None:
    take(spool, FIRST)
    assert spool.offered_config() == ConfigOffer(str(FIRST), 7, DOCUMENT)
    assert told(spool) == [("received", "")]
    take(spool, FIRST)  # headquarters has not heard, and asks again
    assert told(spool) == []
    assert spool.offered_config() is not None


def test_a_newer_one_takes_the_place_of_one_that_nobody_took_up(spool: Spool) -> None:
    take(spool, FIRST)
    take(spool, SECOND)
    offer = spool.offered_config()
    assert offer is not None
    assert offer.action_id == str(SECOND)


def test_one_with_its_outcome_is_not_taken_up_again_but_told_again(spool: Spool) -> None:
    take(spool, FIRST)
    spool.finish_action(Outcome(str(FIRST), OutcomeState.DONE, "applied"))
    assert spool.offered_config() is None
    told(spool)
    take(spool, FIRST)
    assert spool.offered_config() is None
    assert told(spool) == [("done", "applied")]


@pytest.mark.parametrize(
    ("document", "sha256", "why"),
    [
        (DOCUMENT, bytes(32), "SHA-256 is another than stated"),
        (DOCUMENT, b"", "SHA-256 is another than stated"),
        ("# " + "\u6162" * 22_000, None, "bytes, 65536 are taken; shorten it"),
    ],
)
def test_one_that_is_not_whole_or_too_large_is_refused_and_stays_off_the_desk(
    spool: Spool, document: str, sha256: bytes | None, why: str
) -> None:
    take(spool, FIRST, document, sha256=sha256)
    assert spool.offered_config() is None
    ((state, detail),) = told(spool)
    assert state == "refused"
    assert why in detail


def test_one_that_expired_on_its_way_is_not_taken_up(spool: Spool) -> None:
    take(spool, FIRST, expires_ns=1)
    assert spool.offered_config() is None
    assert [state for state, _ in told(spool)] == ["expired"]
