"""A host becomes an agent with a token once, stays one by renewal, and stops being one when it is shut out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import grpc
import pytest

from sitewarden_collector import pki
from sitewarden_collector.app import Collector
from sitewarden_collector.config import PkiConfig
from sitewarden_collector.grpc_api.greeting import recheck
from sitewarden_collector.services import enrolment
from sitewarden_collector.store import agents, tokens
from sitewarden_protos.v1 import common_pb2
from tests.cast import DAY, HOUR, MINUTE
from tests.integration.host import Enrolled, Host, ShiftedClock, configured, headquarters, opened, token_for


def _reason(reply: Enrolled) -> str:
    assert reply.WhichOneof("result") == "refused", reply
    return common_pb2.Reason.Name(reply.refused.reason).removeprefix("REASON_")


async def _agent(collector: Collector, hostname: str = "web-1") -> Host:
    host = Host(collector, hostname)
    reply = await host.enroll(await token_for(collector))
    assert reply.WhichOneof("result") == "credential", reply
    return host


async def test_a_token_brings_a_certificate_of_the_site_that_the_token_was_made_for(
    tmp_path: Path, db_url: str
) -> None:
    async with headquarters(configured(tmp_path, db_url)) as collector:
        token = await token_for(collector)
        host = Host(collector)
        reply = await host.enroll(token)

        assert reply.credential.site_name == "acme-berlin"
        assert list(reply.credential.endpoints) == list(collector.front.streams_endpoints)
        assert hashlib.sha256(host.chain_der[-1]).hexdigest() == opened(token)["f"]
        async with host.upload() as road:
            assert (await road.hello()).WhichOneof("step") == "welcome"


async def test_a_token_serves_one_host_only(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        token = await token_for(collector)
        first, second = Host(collector), Host(collector, "db-1")
        granted = await first.enroll(token)
        assert _reason(await second.enroll(token)) == "TOKEN_SPENT"
        again = await first.enroll(token)  # its answer was lost: the same key asks again
        assert again.credential.certificate_der == granted.credential.certificate_der


async def test_each_bad_token_is_told_what_is_wrong_with_it(tmp_path: Path) -> None:
    clock = ShiftedClock()
    config = configured(tmp_path, pki=PkiConfig(server_certificate_days=365))
    async with headquarters(config, clock=clock) as collector:
        token = await token_for(collector)
        host = Host(collector)
        assert _reason(await host.enroll(token, token_secret="guessed")) == "TOKEN_INVALID"
        assert _reason(await host.enroll(token, token_id="no such token")) == "TOKEN_INVALID"
        assert _reason(await host.enroll(token, csr_der=b"nonsense")) == "CSR_INVALID"
        clock.shift_ns += 2 * HOUR
        assert _reason(await host.enroll(token)) == "TOKEN_EXPIRED"
        revoked = await token_for(collector)
        await collector.db.run(tokens.revoke, opened(revoked)["i"], now_ns=clock.now_ns())
        assert _reason(await host.enroll(revoked)) == "TOKEN_INVALID"


async def test_a_certificate_is_renewed_with_a_new_key_also_shortly_after_its_end(tmp_path: Path) -> None:
    clock = ShiftedClock()
    config = configured(tmp_path, pki=PkiConfig(server_certificate_days=365))
    async with headquarters(config, clock=clock) as collector:
        host = await _agent(collector)
        clock.shift_ns += 20 * DAY
        assert (await host.renew()).credential.agent_id == host.agent_id
        clock.shift_ns += 33 * DAY  # 3 days past the end
        assert (await host.renew()).WhichOneof("result") == "credential"
        clock.shift_ns += 40 * DAY
        assert _reason(await host.renew()) == "CERTIFICATE_EXPIRED"


async def test_a_renewal_counts_only_with_the_old_keys_signature_over_our_time(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        assert _reason(await host.renew(signature=b"forged")) == "UNKNOWN_AGENT"
        assert _reason(await host.renew(csr_der=host.csr_der())) == "UNKNOWN_AGENT"  # not what was signed
        late = await host.renew(agent_time_unix_ns=collector.clock.now_ns() - 11 * MINUTE)
        assert _reason(late) == "CLOCK_SKEW"
        corrected = await host.renew(agent_time_unix_ns=late.server_time.unix_ns)
        assert corrected.WhichOneof("result") == "credential"


async def test_an_agent_that_was_shut_out_is_sent_away_and_cannot_renew(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        async with host.upload() as road:
            await road.hello()
            await collector.db.run(
                enrolment.revoke, host.agent_id, why="sold the machine", now_ns=collector.clock.now_ns()
            )
            await recheck(collector.front)
            closing = (await road.hear()).closing
        assert closing.reason == common_pb2.REASON_REVOKED
        assert "sold the machine" in closing.message
        assert not closing.keep_credential
        assert _reason(await host.renew()) == "REVOKED"


async def test_a_host_that_enrols_again_is_not_missed_as_the_agent_it_was(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        former = await _agent(collector)
        latter = await _agent(collector)
        found = {one.id: one.state for one in await collector.db.read(agents.active)}
        assert found == {latter.agent_id: "active"}
        async with former.upload() as road:
            assert (await road.hello()).closing.reason == common_pb2.REASON_REVOKED


async def test_nobody_comes_to_the_streams_without_a_certificate_of_ours(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path / "ours")) as collector:
        async with headquarters(configured(tmp_path / "theirs")) as other:
            stranger = await _agent(other)
        stranger.collector = collector
        async with stranger.upload() as road:
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await road.hello()
        assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_the_secret_key_is_needed_to_come_up_again_and_nothing_else_is_lost(tmp_path: Path) -> None:
    config = configured(tmp_path)
    async with headquarters(config) as collector:
        before = collector.front.authority.root_sha256
    async with headquarters(config) as collector:
        assert collector.front.authority.root_sha256 == before
    secret = tmp_path / pki.SECRET_FILE
    assert secret.stat().st_mode & 0o777 == 0o600
    secret.rename(tmp_path / "lost")
    with pytest.raises(Exception, match=r"secret key .* is missing"):
        async with headquarters(config):
            pass
