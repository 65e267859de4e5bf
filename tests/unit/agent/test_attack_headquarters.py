"""What a stolen headquarters, or a stolen half of the agent, may try at the site, and what it cannot do."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

import grpc
import pytest

from sitewarden_agent import app
from sitewarden_agent.clock import SystemClock
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.link import channel, wire
from sitewarden_agent.link.backoff import Backoff
from sitewarden_agent.link.endpoints import addresses
from sitewarden_agent.link.trouble import Ending, Follow
from sitewarden_agent.model import Change, LogEvent, Observation, Outcome, OutcomeState, RecordPart, SiteNotice
from sitewarden_agent.spool import Spool, SpoolFull, SpoolLimits
from sitewarden_agent.spool.bell import Bell
from sitewarden_protos.v1 import control_pb2, enrolment_pb2_grpc
from sitewarden_protos.v1.enrolment_pb2 import RenewRequest

MIB = 1024 * 1024
PRODUCT = b"the customer's product needs this"


def an_action() -> str:
    return str(uuid.uuid4())


def seen(what: LogEvent | Change) -> Observation:
    return Observation(what, 1_800_000_000 * 10**9, "b" * 32, 1)


def a_line(number: int) -> LogEvent:
    return LogEvent("app", "/var/log/app.log", "1:2:3", number, RecordPart.WHOLE, 4, "", "disk broken", "", "f1:0")


def test_only_a_host_and_a_port_count_as_an_address() -> None:
    good = ("hq.example:7443", "10.0.0.1:1", "[::1]:7443", "[fe80::1%eth0]:65535", "my_host-2:80")
    bad = (
        *("unix:/var/run/docker.sock", "unix:///run/x:80", "unix-abstract:x", "vsock:1:2", "dns://evil.example/hq:1"),
        *("ipv4:10.0.0.1:80,10.0.0.2:80", "hq.example", "hq.example:", ":80", "", "hq example:80", "h\n:80", "h:80\n"),
        "a" * 300 + ":80",
    )
    assert addresses((*bad, *good)) == good
    assert len(addresses(f"host-{number}:80" for number in range(10_000))) == 64


def test_no_address_leads_to_a_socket_of_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as local:
        local.bind("80")
        local.listen()
        local.setblocking(False)
        root_pem = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
        with channel.one_sided("unix:80", root_pem, proxy=None) as opened, pytest.raises(grpc.RpcError):
            enrolment_pb2_grpc.EnrolmentServiceStub(opened).Renew(RenewRequest(), timeout=5)
        with pytest.raises(BlockingIOError):
            local.accept()


@pytest.mark.parametrize("follow", [follow for follow in Follow if follow is not Follow.AT_ONCE])
def test_headquarters_cannot_ask_for_a_wait_without_end(follow: Follow) -> None:
    forever = Ending("OVERLOADED", "later", follow=follow, retry_after_s=1e300, window_s=1e300)
    assert Backoff().after(forever, draw=0.9)[1] <= 4 * 3_600


def test_of_a_flood_of_watch_levels_the_first_ones_count() -> None:
    flood = control_pb2.WatchLevels(
        levels=[control_pb2.WatchLevel(series="x" * 5_000, above=1.0, has_above=True) for _ in range(10_000)]
    )
    levels = wire.watch_levels(flood)
    assert len(levels) == 256
    assert len(levels[0].series) <= 200


def test_a_flood_of_notices_leaves_room_for_the_product_s_errors(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool.db", clock=SystemClock(), limits=SpoolLimits(max_bytes=4 * MIB))
    for number in range(400):
        notice = SiteNotice(an_action(), f"notice {number}", "\U0001f525" * 16_000, "patch", "", 1, 0)
        spool.add_notice(notice, outcome=Outcome(notice.action_id, OutcomeState.DONE))
    spool.append([seen(a_line(1))])
    kept = spool.notices()
    assert kept[-1].subject == "notice 399"
    assert sum(len(one.body.encode()) for one in kept) <= MIB
    spool.close()


def test_a_flood_of_actions_stays_inside_the_bound_of_the_spool(tmp_path: Path) -> None:
    limits = SpoolLimits(max_bytes=MIB, floor_bytes=MIB)
    spool = Spool.open(tmp_path / "spool.db", clock=SystemClock(), limits=limits)

    def flood() -> None:
        for _ in range(1_000):
            spool.finish_action(Outcome(an_action(), OutcomeState.REFUSED, "x" * 4_000))

    with pytest.raises(SpoolFull):
        flood()
    assert spool.state().bytes <= MIB
    spool.close()


def test_a_lock_file_is_not_opened_through_a_link(tmp_path: Path) -> None:
    product = tmp_path / "product.db"
    product.write_bytes(PRODUCT)
    state = tmp_path / "state"
    state.mkdir()
    (state / "observe.lock").symlink_to(product)
    with pytest.raises(ConfigError, match="remove it"), app._alone("observe", state):
        pass
    assert product.read_bytes() == PRODUCT


def test_the_bell_rings_nothing_but_a_pipe(tmp_path: Path) -> None:
    product = tmp_path / "product.db"
    product.write_bytes(PRODUCT)
    linked, plain = Bell(tmp_path / "linked"), Bell(tmp_path / "plain")
    (tmp_path / "linked.bell").symlink_to(product)
    os.link(product, tmp_path / "plain.bell")
    for bell in (linked, plain):
        bell.ring()
        assert bell.listen() is None
        bell.close()
    assert product.read_bytes() == PRODUCT
