"""Enrolment: a token in, an identity on the disk. Runs in the short-lived process of `sitewarden-agent enroll`.

The key is made here and stored before it is used, under the token's id: when the answer is lost, the same command again
asks with the same key, and headquarters gives the same certificate again. Nothing secret is sent before the collector
has shown a certificate under the root that the token names.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric import ec

from sitewarden_agent.clock import Clock
from sitewarden_agent.errors import IdentityError, Permanent
from sitewarden_agent.link import channel, credential, identity, pin, token, trouble
from sitewarden_agent.link.identity import Identity
from sitewarden_agent.link.session import draw_session_id, machine_fingerprint, session
from sitewarden_agent.link.trouble import Unreachable
from sitewarden_protos.v1 import enrolment_pb2, enrolment_pb2_grpc

CALL_TIMEOUT_S = 30.0
PENDING = "enrolling"
CLOCK_OFF_NS = 300 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What enrolment brought, and by how much this host's clock is behind headquarters' (0: not known)."""

    identity: Identity
    clock_behind_ns: int


def enroll(
    text: str,
    state_dir: Path,
    clock: Clock,
    *,
    endpoints: Sequence[str] = (),
    proxy: str | None = None,
    force: bool = False,
) -> Enrolled:
    """Spend the token `text` and store the identity in `state_dir`. `endpoints` instead of those in the token.

    Raises IdentityError when there is an identity already (unless `force`), RefusedForGood for a wrong, expired or
    spent token, WrongAuthority, Unreachable; each says what to do.
    """
    ticket = token.read(text)
    if not force and identity.version(state_dir) is not None:
        raise IdentityError(
            f"This agent is enrolled already ({state_dir / identity.FILE}). To replace that identity, add --force."
        )
    _check_writable(state_dir)
    addresses = tuple(endpoints) or ticket.endpoints
    if not addresses:
        raise Permanent("The token names no collector. Add --collector host:port (the enrolment port).")
    problems = []
    for address in addresses:
        try:
            return _enroll_at(address, ticket, state_dir, clock, proxy)
        except Unreachable as error:
            problems.append(str(error))
    raise Unreachable("\n".join(problems))


def _enroll_at(address: str, ticket: token.Token, state_dir: Path, clock: Clock, proxy: str | None) -> Enrolled:
    root_pem = pin.root_of(address, fingerprint=ticket.root_sha256, proxy=proxy)
    key = _pending_key(state_dir, ticket.token_id)
    asked = enrolment_pb2.EnrollRequest(
        token_id=ticket.token_id,
        token_secret=ticket.secret,
        csr_der=credential.request(key),
        session=session(draw_session_id(), clock, fingerprint=machine_fingerprint(state_dir)),
    )
    with channel.one_sided(address, root_pem, proxy=proxy) as opened:
        try:
            answer = enrolment_pb2_grpc.EnrolmentServiceStub(opened).Enroll(asked, timeout=CALL_TIMEOUT_S)
        except grpc.RpcError as error:
            raise trouble.unreachable(error.code(), error.details() or "", endpoint=address) from error
    if answer.WhichOneof("result") != "credential":
        raise trouble.as_error(answer.refused)
    issued = credential.accept(answer.credential, key=key, root_pem=root_pem)
    identity.store(state_dir, issued)
    identity.confirm(state_dir)  # an identity from before belongs to another agent: nothing to go back to
    with contextlib.suppress(OSError):
        (state_dir / PENDING).unlink()
    return Enrolled(issued, _behind_ns(answer.server_time.unix_ns, clock))


def _behind_ns(server_ns: int, clock: Clock) -> int:
    return server_ns - clock.wall_ns() if server_ns else 0


def _check_writable(state_dir: Path) -> None:
    """Before the token is spent."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(state_dir, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write")
    except OSError as error:
        raise IdentityError(
            f"The identity cannot be stored in {state_dir}: {error.strerror}. Run this as root or as the agent's user."
        ) from error


def _pending_key(state_dir: Path, token_id: str) -> ec.EllipticCurvePrivateKey:
    """The key of an earlier try with the same token, or a new one, on the disk before it is used."""
    path = state_dir / PENDING
    try:
        first, _, pem = path.read_text().partition("\n")
        if first == token_id:
            return credential.key_from_pem(pem)
    except (OSError, UnicodeDecodeError, IdentityError):
        pass
    key = credential.new_key()
    identity.write_private(path, f"{token_id}\n{credential.key_to_pem(key)}".encode(), like=state_dir)
    return key
