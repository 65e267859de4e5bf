"""How a connection ended: the reason, what follows from it, and what a person can do. Pure.

Each reason of headquarters leads to one of five courses. No reason makes the agent throw its key away by itself:
headquarters may be wrong for an hour, and a key that is gone cannot come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import grpc

from sitewarden_agent.errors import AgentError, Refused, RefusedForGood, Transient
from sitewarden_agent.link import wire
from sitewarden_protos.v1 import common_pb2


class Unreachable(Transient):
    """No collector could be reached."""


class Follow(Enum):
    """What follows from an ending."""

    AT_ONCE = "at once"  # nothing is wrong: a new epoch, a new certificate
    RETRY = "retry"  # backoff
    SLOW = "slow"  # somebody has to act; look once an hour whether they did
    CLOCK = "clock"  # the host's clock has to be set
    STAND_BACK = "stand back"  # a newer session took over


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection or a try for one ended."""

    reason: str
    message: str
    follow: Follow = Follow.RETRY
    retry_after_s: float = 0.0
    window_s: float = 0.0
    connected_s: float = 0.0
    keep_credential: bool = True
    advice: str = ""
    credential_doubted: bool = False
    """The reason may lie in this certificate: a previous one is worth a try, or a renewal."""


class Ended(Exception):
    """Carries an Ending out of the streams of a connection."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(f"{ending.reason}: {ending.message}")
        self.ending = ending


_ENROL_AGAIN = "Ask the vendor for a new token, then run `sitewarden-agent enroll --force` on this host."
_COURSE: dict[str, tuple[Follow, str, bool]] = {
    # reason: what follows, what a person can do, whether the certificate may be the reason
    "OVERLOADED": (Follow.RETRY, "Nothing to do: headquarters is busy, what waits is kept.", False),
    "RATE_LIMITED": (Follow.RETRY, "Nothing to do: headquarters takes more soon, what waits is kept.", False),
    "DRAINING": (Follow.RETRY, "Nothing to do: this collector is being restarted.", False),
    "INTERNAL": (Follow.RETRY, "Nothing to do here: headquarters has a fault of its own.", False),
    "OUT_OF_ORDER": (Follow.RETRY, "Nothing to do: the agent finds its place again.", False),
    "MALFORMED": (Follow.RETRY, "Update the agent if this stays; tell the vendor.", False),
    "TOO_LARGE": (Follow.RETRY, "Update the agent if this stays; tell the vendor.", False),
    "UNKNOWN_AGENT": (Follow.SLOW, _ENROL_AGAIN, True),
    "REVOKED": (Follow.SLOW, _ENROL_AGAIN, True),
    "QUARANTINED": (
        Follow.SLOW,
        "The same identity was used on two machines (a copied disk or virtual machine?). "
        "Enrol the copy as an agent of its own: " + _ENROL_AGAIN,
        False,
    ),
    "CERTIFICATE_EXPIRED": (Follow.RETRY, "The agent renews it by itself; if not: " + _ENROL_AGAIN, True),
    "CLOCK_SKEW": (Follow.CLOCK, "Set this host's clock (look at `timedatectl`); the agent goes on by itself.", False),
    "DUPLICATE_SESSION": (
        Follow.STAND_BACK,
        "If a second agent runs with a copy of this state folder, stop it and enrol it anew.",
        False,
    ),
    "VERSION_UNSUPPORTED": (Follow.SLOW, "Update the agent.", False),
}


def refused(refusal: common_pb2.Refusal) -> Ending:
    """What follows from a refusal that ends the stream. Reasons of a newer headquarters go by its `retry`."""
    reason = wire.reason_name(refusal.reason)
    follow, advice, doubted = _COURSE.get(reason, (Follow.RETRY if refusal.retry else Follow.SLOW, "", False))
    return Ending(
        reason,
        wire.said(refusal.message) or reason,
        follow=follow,
        retry_after_s=max(0.0, refusal.retry_after_ms / 1000.0),
        keep_credential=refusal.keep_credential,
        advice=advice,
        credential_doubted=doubted,
    )


def as_error(refusal: common_pb2.Refusal) -> AgentError:
    """A refusal as the error that a command ends with."""
    reason = wire.reason_name(refusal.reason)
    message = f"Headquarters refused: {wire.said(refusal.message) or reason} ({reason})"
    if refusal.retry:
        wait_s = refusal.retry_after_ms / 1000.0
        return Refused(reason, message, retry_after_s=wait_s, keep_credential=refusal.keep_credential)
    return RefusedForGood(reason, message, keep_credential=refusal.keep_credential)


# What gRPC says when it cannot connect, and what to do about it. The first that is found in its text counts.
_SIGNS = (
    ("Connection refused", "NOT_LISTENING", "Nothing listens there. Check host and port, and that the collector runs."),
    ("DNS resolution failed", "NO_NAME", "The name is not known here. Check it, and this host's DNS."),
    ("Domain name not found", "NO_NAME", "The name is not known here. Check it, and this host's DNS."),
    ("No route to host", "NO_ROUTE", "Check this host's network and the firewalls on the way."),
    ("Network is unreachable", "NO_ROUTE", "Check this host's network and the firewalls on the way."),
    ("HTTP proxy", "PROXY", "The proxy refused. Check `proxy` under [link], and that it allows CONNECT to that port."),
    ("CERTIFICATE_VERIFY_FAILED", "WRONG_CA", "The server's certificate is not of this vendor, or this host's clock is "
     "off. If a firewall opens TLS on the way, let this connection pass."),
    ("Hostname Verification Check failed", "WRONG_NAME", "The server's certificate has other names than this address. "
     "Use a name that the collector was configured with."),
    ("CERTIFICATE_EXPIRED", "CERTIFICATE_EXPIRED", "The agent renews it by itself; check this host's clock."),
    ("CERTIFICATE_REQUIRED", "NO_CERTIFICATE", _ENROL_AGAIN),
    ("UNKNOWN_CA", "WRONG_CA", "Headquarters does not know the issuer of this agent's certificate. " + _ENROL_AGAIN),
    ("Socket closed", "TURNED_AWAY", "Headquarters closed the connection before a word: it does not take this agent's "
     "certificate, or something on the way does not let it pass. If it lasts, run `sitewarden-agent renew`."),
    ("handshake", "TLS", "TLS failed. Check that the port is the collector's, and that nothing opens TLS on the way."),
    ("Timeout", "TIMEOUT", "Check this host's network and the firewalls on the way."),
    ("timed out", "TIMEOUT", "Check this host's network and the firewalls on the way."),
)  # fmt: skip
_OF_THE_CERTIFICATE = ("CERTIFICATE_EXPIRED", "NO_CERTIFICATE", "WRONG_CA", "TURNED_AWAY", "TLS")


def broken(code: grpc.StatusCode, details: str, *, endpoint: str) -> Ending:
    """What follows from a call that gRPC ended."""
    details = wire.said(details)  # the other side may have written it
    for sign, reason, advice in _SIGNS:
        if sign.lower() in details.lower() and (reason != "TURNED_AWAY" or "failed to connect" in details):
            doubted = reason in _OF_THE_CERTIFICATE
            return Ending(reason, f"{endpoint}: {details}", advice=advice, credential_doubted=doubted)
    advice = "Check this host's network; the agent keeps trying."
    if code is grpc.StatusCode.UNIMPLEMENTED:
        advice = "That port is not the collector's port for agents. Check the address."
    return Ending(code.name, f"{endpoint}: {details or 'the connection was lost'}", advice=advice)


def unreachable(code: grpc.StatusCode, details: str, *, endpoint: str) -> Unreachable:
    """The same as the error that a command ends with."""
    ending = broken(code, details, endpoint=endpoint)
    return Unreachable(f"{ending.message}. {ending.advice}")
