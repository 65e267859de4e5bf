"""The sentences that headquarters says on every road: its time, its pacing, and why it says no."""

from __future__ import annotations

from sitewarden_collector.config import Limits
from sitewarden_collector.errors import CollectorError, DatabaseBusy, Refused
from sitewarden_collector.loops import Clock
from sitewarden_protos.v1 import common_pb2

_HOUR_S = 3600.0

# reason: whether trying again helps, after how long (seconds; 0: the agent's own backoff), whether the credential stays
_MANNERS: dict[str, tuple[bool, float, bool]] = {
    "MALFORMED": (False, 0, True),
    "TOO_LARGE": (False, 0, True),
    "OUT_OF_ORDER": (True, 0, True),
    "OVERLOADED": (True, 5, True),
    "DRAINING": (True, 0, True),
    "RATE_LIMITED": (True, 10, True),
    "UNKNOWN_AGENT": (True, _HOUR_S, True),  # perhaps headquarters came back from a backup: throw nothing away
    "REVOKED": (False, _HOUR_S, False),
    "CERTIFICATE_EXPIRED": (True, 0, True),
    "CLOCK_SKEW": (True, 60, True),
    "DUPLICATE_SESSION": (True, 30, True),
    "QUARANTINED": (False, _HOUR_S, False),
    "VERSION_UNSUPPORTED": (True, _HOUR_S, True),
    "TOKEN_INVALID": (False, 0, True),
    "TOKEN_EXPIRED": (False, 0, True),
    "TOKEN_SPENT": (False, 0, True),
    "CSR_INVALID": (False, 0, True),
    "INTERNAL": (True, 30, True),
}


def server_time(clock: Clock) -> common_pb2.ServerTime:
    return common_pb2.ServerTime(unix_ns=clock.now_ns())


def pacing(limits: Limits) -> common_pb2.Pacing:
    return common_pb2.Pacing(
        heartbeat_ms=int(limits.heartbeat_s * 1000),
        max_batch_bytes=limits.max_batch_bytes,
        max_batch_observations=limits.max_batch_observations,
        reconnect_min_ms=1000,
        reconnect_window_ms=int(limits.drain_window_s * 1000),
    )


def refusal(why: Refused) -> common_pb2.Refusal:
    retry, after_s, keep = _MANNERS[why.reason]
    return common_pb2.Refusal(
        reason=common_pb2.Reason.Value(f"REASON_{why.reason}"),
        message=str(why),
        retry=retry,
        retry_after_ms=int((why.retry_after_s or after_s) * 1000),
        keep_credential=keep,
    )


def as_refused(error: Exception) -> Refused:
    """Any error as something that can be said to an agent; what is our own fault is said without detail."""
    match error:
        case Refused():
            return error
        case DatabaseBusy():
            return Refused("OVERLOADED", "headquarters cannot store this now; keep it and come back")
        case CollectorError():
            return Refused("INTERNAL", "a fault at headquarters; nothing was stored, keep it and come back")
        case _:
            return Refused("INTERNAL", "a fault at headquarters; nothing was stored, keep it and come back")
