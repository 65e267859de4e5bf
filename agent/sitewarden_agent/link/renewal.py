"""Renewal: a new key and certificate before the old one ends, or just after. Runs in the process of `renew`.

On the enrolment port, where no client certificate is asked for, so that one that has just expired can still be renewed
inside headquarters' grace; the request is signed with the old key. The old identity stays beside the new one until the
link has worked with the new one.
"""

from __future__ import annotations

import random
from pathlib import Path

import grpc

from sitewarden_agent.clock import Clock
from sitewarden_agent.errors import Permanent
from sitewarden_agent.link import channel, credential, identity, trouble
from sitewarden_agent.link.enrol import CALL_TIMEOUT_S
from sitewarden_agent.link.identity import Identity
from sitewarden_agent.link.session import draw_session_id, machine_fingerprint, session
from sitewarden_agent.link.trouble import Unreachable
from sitewarden_protos.v1 import enrolment_pb2, enrolment_pb2_grpc


def is_due(current: Identity, *, now_ns: int) -> bool:
    return now_ns >= identity.renewal_due_ns(current)


def renew(state_dir: Path, clock: Clock, *, endpoints: tuple[str, ...] = (), proxy: str | None = None) -> Identity:
    """Ask for a new certificate and store it. `endpoints` (enrolment ports) instead of those told at enrolment.

    Raises IdentityError, RefusedForGood or Refused (with what headquarters said), Unreachable.
    """
    current = identity.load(state_dir)
    addresses = list(endpoints or current.enrolment_endpoints)
    if not addresses:
        raise Permanent("No enrolment address is known. Run `sitewarden-agent renew --collector host:port`.")
    random.shuffle(addresses)
    problems = []
    for address in addresses:
        try:
            return _renew_at(address, current, state_dir, clock, proxy)
        except Unreachable as error:
            problems.append(str(error))
    raise Unreachable("\n".join(problems))


def _renew_at(address: str, current: Identity, state_dir: Path, clock: Clock, proxy: str | None) -> Identity:
    key = credential.new_key()
    csr_der, certificate_der, now_ns = credential.request(key), credential.leaf_der(current), clock.wall_ns()
    asked = enrolment_pb2.RenewRequest(
        csr_der=csr_der,
        certificate_der=certificate_der,
        signature=credential.sign_renewal(
            current, csr_der=csr_der, certificate_der=certificate_der, agent_time_ns=now_ns
        ),
        agent_time_unix_ns=now_ns,
        session=session(draw_session_id(), clock, fingerprint=machine_fingerprint(state_dir)),
    )
    with channel.one_sided(address, current.root_pem, proxy=proxy) as opened:
        try:
            answer = enrolment_pb2_grpc.EnrolmentServiceStub(opened).Renew(asked, timeout=CALL_TIMEOUT_S)
        except grpc.RpcError as error:
            raise trouble.unreachable(error.code(), error.details() or "", endpoint=address) from error
    if answer.WhichOneof("result") != "credential":
        raise trouble.as_error(answer.refused)
    issued = credential.accept(answer.credential, key=key, root_pem=current.root_pem, known=current)
    identity.store(state_dir, issued)
    return issued
