"""What strangers, thieves and bad agents try at the collector's doors, over real TLS, and what they get for it."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sitewarden_agent.link import channel
from sitewarden_collector import pki
from sitewarden_collector.app import Collector
from sitewarden_collector.config import Advertise
from sitewarden_collector.grpc_api import conversation, front
from sitewarden_collector.store import agents
from sitewarden_protos.v1 import common_pb2, enrolment_pb2_grpc
from sitewarden_protos.v1.enrolment_pb2 import RenewRequest
from tests.integration.host import Enrolled, Host, configured, headquarters, token_for


def _reason(reply: Enrolled) -> str:
    assert reply.WhichOneof("result") == "refused", reply
    return common_pb2.Reason.Name(reply.refused.reason).removeprefix("REASON_")


async def _agent(collector: Collector, hostname: str = "web-1") -> Host:
    host = Host(collector, hostname)
    assert (await host.enroll(await token_for(collector))).WhichOneof("result") == "credential"
    return host


async def test_a_thief_who_renews_a_stolen_certificate_elsewhere_gives_himself_away(
    tmp_path: Path, db_url: str
) -> None:
    async with headquarters(configured(tmp_path, db_url)) as collector:
        host = await _agent(collector)
        thief = host.twin()
        thief.machine, thief.hostname = "machine-of-the-thief", "evil-1"
        async with host.upload() as road:
            await road.hello()
            assert _reason(await thief.renew()) == "QUARANTINED"
            assert (await road.hear()).closing.reason == common_pb2.REASON_QUARANTINED
        found = await collector.db.read(agents.by_id, host.agent_id)
        assert found.state == "quarantined"
        assert "evil-1" in found.state_why
        assert _reason(await host.renew()) == "QUARANTINED"  # nor can anybody else, ever again


async def test_a_token_that_no_database_can_look_up_is_a_wrong_token(tmp_path: Path, db_url: str) -> None:
    async with headquarters(configured(tmp_path, db_url)) as collector:
        token = await token_for(collector)
        for wrong in ("\0", "\0" * 36, "' OR 1=1 --", "x" * 10_000):
            assert _reason(await Host(collector).enroll(token, token_id=wrong)) == "TOKEN_INVALID"


async def test_a_stream_without_a_hello_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "HELLO_TIMEOUT_S", 0.05)
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        async with host.upload() as silent, host.control() as mute:
            assert "no hello" in (await silent.hear()).closing.message
            assert "no hello" in (await mute.hear()).closing.message


async def test_an_agent_that_connects_without_end_is_told_to_wait_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "HELLOS_BURST", 3.0)
    monkeypatch.setattr(front, "HELLOS_PER_S", 0.001)
    async with headquarters(configured(tmp_path)) as collector:
        bad, good = await _agent(collector, "bad-1"), await _agent(collector, "good-1")
        for _ in range(3):
            async with bad.upload() as road:
                assert (await road.hello()).WhichOneof("step") == "welcome"
        async with bad.upload() as road:
            closing = (await road.hello()).closing
        assert closing.reason == common_pb2.REASON_RATE_LIMITED
        assert (closing.retry, closing.keep_credential) == (True, True)
        async with good.upload() as road:
            assert (await road.hello()).WhichOneof("step") == "welcome"


async def test_an_agents_certificate_is_no_collectors_certificate(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        private = host.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = b"".join(
            pki.pem(x509.load_der_x509_certificate(raw)) for raw in (host.certificate_der, *host.chain_der)
        )
        impostor = grpc.aio.server()
        port = impostor.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(private, chain)]))
        await impostor.start()
        try:
            await _is_turned_away(f"localhost:{port}", root_pem=pki.pem(collector.front.authority.root).decode())
        finally:
            await impostor.stop(None)


async def test_a_collector_is_taken_only_under_a_name_of_its_certificate(tmp_path: Path) -> None:
    config = configured(tmp_path, advertise=Advertise(names=("collector.example",)))
    async with headquarters(config) as collector:
        root_pem = pki.pem(collector.front.authority.root).decode()
        await _is_turned_away(f"localhost:{collector.enrolment_port}", root_pem=root_pem)


async def test_a_collectors_certificate_is_no_agents_certificate(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector:
        host = await _agent(collector)
        now_ns = collector.clock.now_ns()
        private, chain = pki.server_certificate(collector.front.authority, ["localhost"], days=1, now_ns=now_ns)
        key = serialization.load_pem_private_key(private, password=None)
        host.key = key  # type: ignore[assignment]
        host.certificate_der, *host.chain_der = (pki.der(one) for one in x509.load_pem_x509_certificates(chain))
        assert _reason(await host.renew()) == "UNKNOWN_AGENT"
        async with host.upload() as road:
            with pytest.raises(grpc.aio.AioRpcError):
                await road.hello()


async def _is_turned_away(endpoint: str, *, root_pem: str) -> None:
    credentials = grpc.ssl_channel_credentials(root_certificates=root_pem.encode())
    async with grpc.aio.secure_channel(endpoint, credentials, options=channel.options(proxy=None)) as opened:
        stub = enrolment_pb2_grpc.EnrolmentServiceStub(opened)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.Renew(RenewRequest(), timeout=10)
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
