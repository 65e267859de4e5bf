"""Becoming an agent and staying one, on the port that asks for no client certificate."""

from __future__ import annotations

import logging

from sitewarden_collector.errors import Refused
from sitewarden_collector.grpc_api import replies, wire
from sitewarden_collector.grpc_api.caller import Context
from sitewarden_collector.grpc_api.conversation import parse
from sitewarden_collector.grpc_api.front import Front
from sitewarden_collector.grpc_api.pace import TokenBucket
from sitewarden_collector.services import enrolment, sessions
from sitewarden_collector.services.enrolment import Applicant, Issued, OtherMachine
from sitewarden_protos.v1 import common_pb2
from sitewarden_protos.v1.enrolment_pb2 import (
    Credential,
    EnrollRequest,
    EnrollResponse,
    RenewRequest,
    RenewResponse,
)

PER_S = 50.0  # signatures that this port makes or checks; strangers may knock here
BURST = 200.0

_log = logging.getLogger("sitewarden.enrolment")


class Enrolment:
    """The handlers of Enroll and Renew."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._bucket = TokenBucket(PER_S, BURST, now_s=front.clock.monotonic_s())

    async def enroll(self, raw: bytes, _context: Context) -> bytes:
        reply = EnrollResponse(server_time=replies.server_time(self._front.clock))
        try:
            issued = await self._enroll(raw)
        except Exception as error:  # noqa: BLE001  every fault is answered with a reason
            reply.refused.CopyFrom(self._refusal(error, "enroll"))
        else:
            self._front.telemetry.enrolments.labels("first").inc()
            _log.info("a host of site %s enrolled", issued.site_name, extra={"agent_id": issued.agent_id})
            reply.credential.CopyFrom(self._credential(issued))
        return reply.SerializeToString()

    async def renew(self, raw: bytes, _context: Context) -> bytes:
        reply = RenewResponse(server_time=replies.server_time(self._front.clock))
        try:
            issued = await self._renew(raw)
        except Exception as error:  # noqa: BLE001  every fault is answered with a reason
            reply.refused.CopyFrom(self._refusal(error, "renew"))
        else:
            self._front.telemetry.enrolments.labels("renewal").inc()
            reply.credential.CopyFrom(self._credential(issued))
        return reply.SerializeToString()

    async def _enroll(self, raw: bytes) -> Issued:
        self._admit()
        request = parse(EnrollRequest, raw)
        session = wire.hello(request.session)
        return await self._front.db.run(
            enrolment.enroll,
            self._front.authority,
            token_id=request.token_id,
            token_secret=request.token_secret,
            csr_der=request.csr_der,
            applicant=Applicant(session.hostname, session.machine_fingerprint, session.version),
            policy=self._front.config.pki,
            now_ns=self._front.clock.now_ns(),
        )

    async def _renew(self, raw: bytes) -> Issued:
        self._admit()
        request = parse(RenewRequest, raw)
        session = wire.hello(request.session)
        now_ns = self._front.clock.now_ns()
        try:
            return await self._front.db.run(
                enrolment.renew,
                self._front.authority,
                csr_der=request.csr_der,
                certificate_der=request.certificate_der,
                signature=request.signature,
                agent_time_ns=request.agent_time_unix_ns,
                machine_fingerprint=session.machine_fingerprint,
                policy=self._front.config.pki,
                now_ns=now_ns,
            )
        except OtherMachine as error:
            agent, other = error.agent, session.hostname
            why = f"enrolled on {agent.hostname}, then renewed on another machine that calls itself {other}"
            await self._front.db.run(sessions.quarantine, agent, why=why, other=other, now_ns=now_ns)
            self._front.live.close_agent(agent.id, error)
            self._front.arrived.set()
            raise

    def _admit(self) -> None:
        if self._front.draining:
            window_s = self._front.config.limits.drain_window_s
            raise Refused("DRAINING", "this collector stops; come back", retry_after_s=window_s)
        if not self._bucket.admit(now_s=self._front.clock.monotonic_s()):
            raise Refused("RATE_LIMITED", "too many enrolments at once; come back in a few seconds")

    def _refusal(self, error: Exception, road: str) -> common_pb2.Refusal:
        why = replies.as_refused(error)
        self._front.telemetry.refusals.labels(road, why.reason).inc()
        if why.reason == "INTERNAL":
            _log.error("%s failed", road, exc_info=error)
        else:
            _log.warning("%s is refused: %s", road, why, extra={"reason": why.reason})
        return replies.refusal(why)

    def _credential(self, issued: Issued) -> Credential:
        return Credential(
            certificate_der=issued.certificate_der,
            chain_der=issued.chain_der,
            agent_id=issued.agent_id,
            site_id=issued.site_id,
            site_name=issued.site_name,
            endpoints=self._front.streams_endpoints,
            enrolment_endpoints=self._front.enrolment_endpoints,
        )
