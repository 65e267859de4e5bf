"""Enrolment and renewal at a real enrolment port: pinned, nothing secret too early, refusals with what to do."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sitewarden_agent.clock import SystemClock
from sitewarden_agent.errors import AgentError, IdentityError, Permanent, Refused, RefusedForGood
from sitewarden_agent.link import enrol, identity, pin, renewal, token
from sitewarden_agent.link.pin import WrongAuthority
from sitewarden_agent.link.trouble import Unreachable
from tests.fakes.headquarters import Authority, EnrolmentDesk, refusal


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def desk(authority: Authority) -> AsyncIterator[EnrolmentDesk]:
    running = await EnrolmentDesk(authority, clock_ns=SystemClock().wall_ns).start()
    yield running
    await running.stop()


def token_text(desk: EnrolmentDesk, *, authority: Authority | None = None, secret: str = "open sesame") -> str:
    content = {
        "i": "token-1",
        "s": secret,
        "f": (authority or desk.authority).root_sha256,
        "e": [desk.endpoint],
    }
    return "swt1_" + base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


async def enrolled(text: str, state_dir: Path, **more: Any) -> enrol.Enrolled:
    return await asyncio.to_thread(enrol.enroll, text, state_dir, SystemClock(), **more)


async def test_a_token_becomes_an_identity(desk: EnrolmentDesk, authority: Authority, tmp_path: Path) -> None:
    result = await enrolled(token_text(desk), tmp_path / "state")
    found = identity.load(tmp_path / "state")
    assert result.identity == found
    assert (found.agent_id, found.site_name) == ("agent-1", "Acme Hamburg")
    assert found.endpoints == ("collector.example:7401",)
    assert found.root_pem == authority.root_pem
    assert found.chain_pem.count("BEGIN CERTIFICATE") == 2
    assert "PRIVATE KEY" in found.key_pem
    assert abs(result.clock_behind_ns) < 5 * 10**9
    [asked] = desk.asked
    assert asked.session.machine_fingerprint
    assert not (tmp_path / "state" / enrol.PENDING).exists()


async def test_nothing_secret_is_sent_to_a_server_with_another_root(desk: EnrolmentDesk, tmp_path: Path) -> None:
    with pytest.raises(WrongAuthority, match="Nothing secret was sent"):
        await enrolled(token_text(desk, authority=Authority("other vendor")), tmp_path)
    assert desk.asked == []


async def test_somebody_in_the_middle_who_shows_the_real_root_gets_nothing(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root is public, so showing it proves nothing: the channel that carries the secret is verified under it."""
    middle = await EnrolmentDesk(authority).start(authority=Authority("middle"))
    monkeypatch.setattr(pin, "root_of", lambda *_, **__: authority.root_pem)
    with pytest.raises(Unreachable, match="not of this vendor"):
        await enrolled(token_text(middle), tmp_path)
    assert middle.asked == []
    await middle.stop()


async def test_a_wrong_secret_is_refused_for_good(desk: EnrolmentDesk, tmp_path: Path) -> None:
    with pytest.raises(RefusedForGood, match="TOKEN_INVALID"):
        await enrolled(token_text(desk, secret="guess"), tmp_path)
    with pytest.raises(IdentityError):
        identity.load(tmp_path)


@pytest.mark.parametrize("reason", ["TOKEN_EXPIRED", "TOKEN_SPENT", "CSR_INVALID"])
async def test_what_headquarters_says_is_passed_on(desk: EnrolmentDesk, tmp_path: Path, reason: str) -> None:
    desk.refuse = refusal(reason, retry=False, message="ask for a new one")
    with pytest.raises(RefusedForGood, match="ask for a new one"):
        await enrolled(token_text(desk), tmp_path)


async def test_the_same_token_asks_with_the_same_key_again(desk: EnrolmentDesk, tmp_path: Path) -> None:
    """When the answer was lost on the way, headquarters can give the same certificate again."""
    desk.refuse = refusal("OVERLOADED")
    with pytest.raises(Refused):
        await enrolled(token_text(desk), tmp_path)
    desk.refuse = None
    await enrolled(token_text(desk), tmp_path)
    first, second = desk.asked
    from cryptography import x509

    keys = [x509.load_der_x509_csr(each.csr_der).public_key() for each in (first, second)]
    assert keys[0] == keys[1]


async def test_a_certificate_for_another_key_is_not_stored(
    desk: EnrolmentDesk, authority: Authority, tmp_path: Path
) -> None:
    desk.issue_for = authority.key.public_key()
    with pytest.raises(IdentityError, match="another key"):
        await enrolled(token_text(desk), tmp_path)
    assert identity.version(tmp_path) is None


async def test_an_identity_that_is_there_is_not_replaced_by_accident(desk: EnrolmentDesk, tmp_path: Path) -> None:
    await enrolled(token_text(desk), tmp_path)
    with pytest.raises(IdentityError, match="--force"):
        await enrolled(token_text(desk), tmp_path)
    await enrolled(token_text(desk), tmp_path, force=True)


async def test_nobody_there_says_so_and_names_the_proxy(tmp_path: Path, desk: EnrolmentDesk) -> None:
    text = token_text(desk)
    await desk.stop()
    with pytest.raises(Unreachable, match="proxy"):
        await enrolled(text, tmp_path)


async def test_a_port_that_does_not_speak_tls_says_so(tmp_path: Path, desk: EnrolmentDesk) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    plain = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = plain.sockets[0].getsockname()[1]
    with pytest.raises(Unreachable, match="TLS"):
        await enrolled(token_text(desk), tmp_path, endpoints=(f"127.0.0.1:{port}",))
    plain.close()


@pytest.mark.parametrize(
    "text", ["", "hello", "swt1_", "swt1_@@@", "swt1_" + base64.b64encode(b"{}").decode(), "swt1_bm9wZQ"]
)
def test_what_is_no_token_is_said(text: str) -> None:
    with pytest.raises(Permanent, match="whole"):
        token.read(text)


def test_a_token_survives_the_line_breaks_of_mail_and_hides_its_secret() -> None:
    content = {"i": "id", "s": "secret", "f": "ab" * 32, "e": ["hq:7402"], "later": 1}
    text = "swt1_" + base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
    read = token.read(f" {text[:20]}\r\n  {text[20:]}\n")
    assert (read.secret, read.endpoints) == ("secret", ("hq:7402",))
    assert "secret" not in repr(read)


async def test_a_certificate_is_renewed_with_a_new_key(
    desk: EnrolmentDesk, authority: Authority, tmp_path: Path
) -> None:
    old = authority.identity(desk.endpoint, begins=timedelta(days=-40), ends=timedelta(days=-1))  # just expired
    identity.store(tmp_path, old)
    new = await asyncio.to_thread(renewal.renew, tmp_path, SystemClock())
    assert identity.load(tmp_path) == new
    assert identity.load_previous(tmp_path) == old
    assert new.key_pem != old.key_pem
    assert new.serial != old.serial
    assert new.not_after_ns > SystemClock().wall_ns()
    assert new.agent_id == old.agent_id


async def test_a_refused_renewal_keeps_the_credential(
    desk: EnrolmentDesk, authority: Authority, tmp_path: Path
) -> None:
    old = authority.identity(desk.endpoint)
    identity.store(tmp_path, old)
    desk.refuse = refusal("REVOKED", retry=False)
    with pytest.raises(RefusedForGood, match="REVOKED"):
        await asyncio.to_thread(renewal.renew, tmp_path, SystemClock())
    assert identity.load(tmp_path) == old


async def test_the_commands_do_it(desk: EnrolmentDesk, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(f'state_dir = "{tmp_path}/state"\n')

    async def agent(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sitewarden_agent", *arguments, "--config", str(config)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    code, _, said = await agent("renew")
    assert (code, "not enrolled yet" in said) == (1, True)
    code, told, said = await agent("enroll", "--token", "-", stdin=token_text(desk).encode())
    assert (code, said) == (0, "")
    assert "Acme Hamburg" in told
    code, told, _ = await agent("renew", "--if-due", "--json")
    assert (code, json.loads(told)["renewed"]) == (0, False)
    code, told, _ = await agent("renew", "--json")
    assert (code, json.loads(told)["renewed"]) == (0, True)
    code, _, said = await agent("enroll", "--token", "swt1_nonsense")
    assert (code, said.count("\n")) == (1, 1)


def test_the_link_process_loads_no_cryptography_and_nothing_that_looks_around() -> None:
    """Law 7: checked in a process of its own, because other tests load all of it."""
    program = (
        "import sys; import sitewarden_agent.link.process;"
        "print([name for name in ('cryptography', 'psutil', 'hyperscan') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert found == "[]"


def test_nothing_in_link_can_start_a_process() -> None:
    """asyncio loads subprocess itself, so the sources are read instead."""
    starts = ("import subprocess", "create_subprocess", "os.system", "os.exec", "os.spawn", "os.fork", "Popen")
    for path in Path(enrol.__file__).parent.glob("*.py"):
        assert not [word for word in starts if word in path.read_text()], path.name


def test_every_error_is_one_of_ours() -> None:
    assert issubclass(WrongAuthority, AgentError)
    assert issubclass(Unreachable, AgentError)
