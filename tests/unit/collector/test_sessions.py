"""A restart is told from a clone, a clock that can be corrected from one that cannot, a guest from a stranger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from sitewarden_collector.config import Limits
from sitewarden_collector.errors import Refused
from sitewarden_collector.services import enrolment, intake, sessions
from sitewarden_collector.services.sessions import Greeting, Hello, Knock, Quarantine
from sitewarden_collector.store import agents, certificates, spools
from sitewarden_collector.store import sessions as takeovers
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.certificates import Certificate
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import DAY, HOUR, MINUTE, NOON, SECOND

LIMITS = Limits()


@dataclass
class Desk:
    """An enrolled agent that says hello at headquarters."""

    db: Database
    agent: Agent

    def hello(
        self,
        session_id: str = "a",
        *,
        at_ns: int = NOON,
        off_ns: int = 0,
        machine: str = "machine-of-web-1",
        version: str = "0.1.0",
        serial: str = "5e71a1",
    ) -> Greeting | Quarantine:
        said = Hello(session_id, machine, version, "web-1", at_ns + off_ns)
        (answer,) = self.knock(Knock(self.agent.id, serial, said, "", at_ns))
        if isinstance(answer, Refused):
            raise answer
        return answer

    def knock(self, *knocks: Knock) -> list[Greeting | Quarantine | Refused]:
        return self.db.write_now(sessions.greet_all, knocks, limits=LIMITS)


@pytest.fixture
def desk(db: Database) -> Desk:
    agent = db.write_now(cast.settle_agent)
    certificate = Certificate("5e71a1", agent.id, "", b"", NOON, NOON + 30 * DAY, NOON)
    db.write_now(certificates.add, certificate)
    return Desk(db, agent)


def test_a_restart_every_minute_is_no_clone(desk: Desk) -> None:
    for minute in range(30):
        assert isinstance(desk.hello(f"start {minute}", at_ns=NOON + minute * MINUTE), Greeting)


def test_one_session_may_come_back_as_often_as_the_network_fails(desk: Desk) -> None:
    for second in range(100):
        assert isinstance(desk.hello("a", at_ns=NOON + second * SECOND), Greeting)


def test_many_that_come_at_once_are_each_answered_for_themselves(desk: Desk) -> None:
    others = [desk.db.write_now(cast.settle_agent, name) for name in ("web-2", "web-3", "web-4")]
    for one in others:
        desk.db.write_now(certificates.add, Certificate(f"of-{one.id}"[:40], one.id, "", b"", NOON, NOON + DAY, NOON))
    desk.db.write_now(intake.accept, others[0].id, batch=cast.batch(1, cast.error_line()), now_ns=NOON)

    def knock(agent: Agent, session: str = "a", *, epoch: str = "", serial: str = "", **said: Any) -> Knock:
        hello = replace(Hello(session, agent.machine_fingerprint, "0.1.0", agent.hostname, NOON), **said)
        return Knock(agent.id, serial or f"of-{agent.id}"[:40], hello, epoch, NOON)

    answers = desk.knock(
        knock(others[0], epoch=cast.EPOCH),
        knock(others[0], "b", epoch="another"),
        knock(others[1], agent_time_ns=NOON - 40 * DAY),
        knock(others[2], machine_fingerprint="another machine"),
        knock(others[2]),
        knock(desk.agent, serial="5e71a1", agent_time_ns=NOON - MINUTE),
        knock(desk.agent, serial="a stranger's"),
    )
    assert [getattr(one, "reason", one) for one in answers[:3]] == [Greeting(0, 1), Greeting(0), "CLOCK_SKEW"]
    assert isinstance(answers[3], Quarantine)
    assert [getattr(one, "reason", one) for one in answers[4:]] == ["QUARANTINED", Greeting(MINUTE), "UNKNOWN_AGENT"]
    took = desk.db.read_now(takeovers.since_of, [one.id for one in others], since_ns=0)
    assert {agent_id: [one.session_id for one in some] for agent_id, some in took.items()} == {others[0].id: ["a", "b"]}
    assert desk.db.read_now(agents.by_id, desk.agent.id).clock_offset_ns == MINUTE


def test_two_sessions_that_return_after_each_other_three_times_are_clones(desk: Desk) -> None:
    answers = [desk.hello(name, at_ns=NOON + i * MINUTE) for i, name in enumerate("ababa")]
    assert [type(one) for one in answers] == [Greeting] * 4 + [Quarantine]
    with pytest.raises(Refused, match="two places") as refusal:
        desk.hello("c")
    assert refusal.value.reason == "QUARANTINED"
    assert desk.db.read_now(spools.last_seq, desk.agent.id, spools.COLLECTOR_EPOCH) == 1


def test_returns_that_lie_far_apart_are_no_clones(desk: Desk) -> None:
    for i, name in enumerate("abababab"):
        assert isinstance(desk.hello(name, at_ns=NOON + i * 6 * MINUTE), Greeting)


def test_another_machine_with_the_same_key_is_shut_out_at_once(desk: Desk) -> None:
    answer = desk.hello(machine="a stolen disk")
    assert isinstance(answer, Quarantine)
    found = desk.db.read_now(agents.by_id, desk.agent.id)
    assert found.state == "quarantined"
    assert found.state_why == answer.why


@pytest.mark.parametrize(("off_ns", "corrected_ns"), [(0, 0), (SECOND // 2, 0), (-3 * HOUR, 3 * HOUR), (HOUR, -HOUR)])
def test_a_clock_that_is_a_little_off_is_corrected(desk: Desk, off_ns: int, corrected_ns: int) -> None:
    answer = desk.hello(off_ns=off_ns)
    assert isinstance(answer, Greeting)
    assert answer.clock_offset_ns == corrected_ns
    assert desk.db.read_now(agents.by_id, desk.agent.id).clock_offset_ns == corrected_ns


@pytest.mark.parametrize(("off_ns", "word"), [(-366 * DAY, "behind"), (366 * DAY, "ahead")])
def test_a_clock_a_year_off_is_told_by_how_much(desk: Desk, off_ns: int, word: str) -> None:
    with pytest.raises(Refused, match=rf"366\.0 days {word}") as refusal:
        desk.hello(off_ns=off_ns)
    assert refusal.value.reason == "CLOCK_SKEW"


def test_a_version_that_has_ended_is_told_until_when_it_was_good(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sessions._ENDED_VERSIONS, "0.0", "2026-01-31")
    with pytest.raises(Refused, match="until 2026-01-31") as refusal:
        desk.hello(version="0.0.9")
    assert refusal.value.reason == "VERSION_UNSUPPORTED"


def test_an_agent_is_welcome_with_a_certificate_of_its_own_that_is_not_revoked(desk: Desk) -> None:
    other = desk.db.write_now(cast.settle_agent, "db-1")
    desk.db.write_now(certificates.add, Certificate("0b5", other.id, "", b"", NOON, NOON + DAY, NOON))
    for serial in ("0b5", "never issued"):
        with pytest.raises(Refused) as refusal:
            desk.hello(serial=serial)
        assert refusal.value.reason == "UNKNOWN_AGENT"
    desk.db.write_now(enrolment.revoke, desk.agent.id, why="lost", now_ns=NOON)
    with pytest.raises(Refused, match="lost") as refusal:
        desk.hello()
    assert refusal.value.reason == "REVOKED"
    refused = desk.db.read_now(sessions.unwelcome, [(desk.agent.id, "5e71a1", "a")])
    assert refused[desk.agent.id, "a"].reason == "REVOKED"


def test_a_session_that_was_replaced_at_another_collector_may_not_stay(desk: Desk) -> None:
    desk.hello("a")
    desk.hello("b")
    callers = [(desk.agent.id, "5e71a1", "a"), (desk.agent.id, "5e71a1", "b")]
    refused = desk.db.read_now(sessions.unwelcome, callers)
    assert {name: why.reason for name, why in refused.items()} == {(desk.agent.id, "a"): "DUPLICATE_SESSION"}


def test_old_takeovers_are_forgotten_but_for_the_newest_session(desk: Desk) -> None:
    for minute, name in enumerate("abc"):
        desk.hello(name, at_ns=NOON + minute * MINUTE)
    desk.db.write_now(takeovers.forget_old, before_ns=NOON + DAY)
    assert desk.db.read_now(takeovers.newest, desk.agent.id) == "c"
    (left,) = desk.db.read_now(takeovers.since_of, [desk.agent.id], since_ns=0).values()
    assert [one.session_id for one in left] == ["c"]


def test_an_agent_is_heard_forward_in_time_only(desk: Desk) -> None:
    for at_ns in (NOON + HOUR, NOON):
        desk.db.write_now(agents.heard, {desk.agent.id: at_ns}, spools={desk.agent.id: "{}"})
    assert desk.db.read_now(agents.by_id, desk.agent.id).last_seen_ns == NOON + HOUR
