"""What an agent saw, as the spool keeps it and the link sends it.

These structs are the agent's own words: observe makes them, the spool stores them as MessagePack, link turns them into
protobuf. Nothing here reads a file or a clock. Severity comes from `sitewarden_alerting.reading.severity`, so that the
site and headquarters mean the same by it; here it travels as its integer.
"""

from __future__ import annotations

from enum import Enum, IntEnum

import msgspec


class ShedClass(IntEnum):
    """What a full spool gives up first. The lowest goes first; outcomes and gaps go last."""

    SAMPLES = 1
    PROBES = 2
    LOGS = 3
    CHANGES = 4
    OUTCOMES = 5


class RecordPart(Enum):
    """Which part of a log record an event carries. (file_id, offset) names the record."""

    WHOLE = "whole"
    HEAD = "head"  # the first line, sent at once; FULL follows only if further lines do
    FULL = "full"  # the whole of a record whose HEAD went before


class LogEvent(msgspec.Struct, frozen=True, tag="log"):
    source: str
    file: str
    file_id: str
    offset: int
    part: RecordPart
    severity: int
    component: str
    message: str
    template: str
    fingerprint: str
    count: int = 1
    logged_ns: int = 0
    truncated: bool = False


class Series(msgspec.Struct, frozen=True):
    """One series: name as OpenMetrics has it (snake case, unit as suffix), labels, unit."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    unit: str = ""


class SampleBlock(msgspec.Struct, frozen=True, tag="samples"):
    """One closed block of samples: `block` is encoded by sitewarden_protos.blocks, series x ticks."""

    series: tuple[Series, ...]
    block: bytes
    ticks: int
    early: bool = False


class ProbeResult(msgspec.Struct, frozen=True, tag="probe"):
    probe: str
    kind: str
    target: str
    ok: bool
    latency_us: int
    detail: str
    certificate_expires_ns: int | None = None
    level: str = ""  # how bad, where the probe itself says so: warning, critical, unknown


class Change(msgspec.Struct, frozen=True, tag="change"):
    """A change at the site: agent_started, reboot, clock_step, config, version, packages, process_restarted, shedding,
    redaction_error, log_gone. `detail` is what takes more than a line: a redacted diff."""

    kind: str
    subject: str = ""
    before: str = ""
    after: str = ""
    detail: str = ""


class Disk(msgspec.Struct, frozen=True):
    mountpoint: str
    device: str = ""
    file_system: str = ""
    size_bytes: int = 0


class NetworkCard(msgspec.Struct, frozen=True):
    """`addresses` are pseudonyms, and there only where the local file allows it. Speed 0: not known."""

    name: str
    speed_mbit: int = 0
    addresses: tuple[str, ...] = ()


class Component(msgspec.Struct, frozen=True):
    """A part of the product. `source` is file, command or package; without a version `trouble` says why."""

    name: str
    version: str = ""
    source: str = ""
    trouble: str = ""


class Inventory(msgspec.Struct, frozen=True, tag="inventory"):
    """What a host is."""

    hostname: str
    kernel: str = ""
    distribution: str = ""
    architecture: str = ""
    cpus: int = 0
    cpu_model: str = ""
    memory_bytes: int = 0
    swap_bytes: int = 0
    virtualisation: str = ""
    container: str = ""
    agent_version: str = ""
    python_version: str = ""
    time_zone: str = ""
    disks: tuple[Disk, ...] = ()
    cards: tuple[NetworkCard, ...] = ()
    components: tuple[Component, ...] = ()


class OutcomeState(Enum):
    RECEIVED = "received"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUSED = "refused"
    APPLYING = "applying"


class Outcome(msgspec.Struct, frozen=True, tag="outcome"):
    action_id: str  # UUID
    state: OutcomeState
    detail: str = ""


class GapReason(Enum):
    SHED = "shed"
    EXPIRED = "expired"
    REFUSED = "refused"
    RESTORED = "restored"
    FILE_LOST = "file_lost"
    REDACTION = "redaction"
    SPOOL_LOST = "spool_lost"


class Gap(msgspec.Struct, frozen=True, tag="gap"):
    reason: GapReason
    kind: str = ""
    count: int = -1
    from_ns: int = 0
    to_ns: int = 0
    first_seq: int = 0
    last_seq: int = 0
    detail: str = ""


What = LogEvent | SampleBlock | ProbeResult | Change | Inventory | Outcome | Gap


class Observation(msgspec.Struct, frozen=True):
    """One thing seen, with the clocks it was seen by."""

    what: What
    wall_ns: int
    boot_id: str
    monotonic_ns: int


class FileMark(msgspec.Struct, frozen=True):
    """Where reading of one log file must resume. Written in the transaction of the observations before it.

    `offset` is the start of the record that is still open (or of a partial line); `head_sent` says that its HEAD is
    already in the spool. `signature` is a hash over the first `signature_bytes` of the file, `before` one
    over what stands right before `offset`: another file that got the inode, or that was written anew, is told by them.
    `counted` are records before `offset` that were counted in a storm and not told yet: one stands for `count` of them.

    Should the file be gone after a restart, the rest says what is known of it: `unread` bytes were seen and not told
    yet (-1: some, in an archive), it was last written at `changed_ns`, and it was `left`: its path had led elsewhere
    already, all of it had been read then and nothing came any more.
    """

    source: str
    path: str
    file_id: str
    offset: int
    head_sent: bool = False
    signature: str = ""
    signature_bytes: int = 0
    before: str = ""
    counted: tuple[LogEvent, ...] = ()
    unread: int = 0
    changed_ns: int = 0
    left: bool = False


class SiteNotice(msgspec.Struct, frozen=True):
    """A notice from headquarters, as `sitewarden-agent notices` shows it."""

    action_id: str
    subject: str
    body: str
    category: str
    reference: str
    received_ns: int
    expires_ns: int


class ConfigOffer(msgspec.Struct, frozen=True):
    """A configuration that headquarters wants here; `observe` decides what becomes of it."""

    action_id: str
    version: int
    text: str


def shed_class(what: What) -> ShedClass:
    match what:
        case SampleBlock():
            return ShedClass.SAMPLES
        case ProbeResult():
            return ShedClass.PROBES
        case LogEvent():
            return ShedClass.LOGS
        case Change() | Inventory():
            return ShedClass.CHANGES
        case Outcome() | Gap():
            return ShedClass.OUTCOMES
