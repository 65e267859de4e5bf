"""What a host is, as the API gives it. Not here: how it is kept (`store.inventories`)."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from sitewarden_alerting.observations import Change
from sitewarden_collector.http_api.shapes import Out, instant
from sitewarden_collector.services.inventories import course
from sitewarden_collector.services.once import Tx
from sitewarden_collector.store import inventories


class DiskOut(Out):
    """A file system."""

    mountpoint: str
    device: str
    file_system: str
    size_bytes: int


class CardOut(Out):
    """A network card."""

    name: str
    speed_mbit: int = Field(description="0: not known")
    addresses: list[str] = Field(description="pseudonyms, where the site allows them")


class ComponentOut(Out):
    """A part of the product."""

    name: str
    version: str = Field(description="empty: not known")
    source: str = Field(description="file, command or package")
    trouble: str = Field(description="why the version is not known")


class HostChangeOut(Out):
    """What became different of a host."""

    at: datetime
    subject: str
    before: str
    after: str


class InventoryOut(Out):
    """What a host is, as its agent told it last."""

    since: datetime
    told: datetime
    kernel: str
    distribution: str
    architecture: str
    cpus: int
    cpu_model: str
    memory_bytes: int
    swap_bytes: int
    virtualisation: str
    container: str
    agent_version: str
    python_version: str
    time_zone: str
    disks: list[DiskOut]
    cards: list[CardOut]
    components: list[ComponentOut]
    changes: list[HostChangeOut] = Field(description="what became different of it, the newest first")


def inventory_of(tx: Tx, agent_id: str) -> InventoryOut | None:
    """What the host of an agent is, with what it was before; None where it told nothing."""
    kept = inventories.of_agent(tx, agent_id)
    if not kept:
        return None
    told = kept[0].inventory
    words = ("kernel", "distribution", "architecture", "cpu_model", "virtualisation", "container", "time_zone")
    return InventoryOut(
        since=instant(kept[0].since_ns),
        told=instant(kept[0].last_ns),
        **{word: getattr(told, word) for word in words},
        cpus=told.cpus,
        memory_bytes=told.memory_bytes,
        swap_bytes=told.swap_bytes,
        agent_version=told.agent_version,
        python_version=told.python_version,
        disks=[
            DiskOut(
                mountpoint=one.mountpoint, device=one.device, file_system=one.file_system, size_bytes=one.size_bytes
            )
            for one in told.disks
        ],
        cards=[CardOut(name=one.name, speed_mbit=one.speed_mbit, addresses=list(one.addresses)) for one in told.cards],
        components=[
            ComponentOut(name=one.name, version=one.version, source=one.source, trouble=one.trouble)
            for one in told.components
        ],
        changes=[_change(one, at_ns) for at_ns, one in course(kept)],
    )


def _change(one: Change, at_ns: int) -> HostChangeOut:
    return HostChangeOut(at=instant(at_ns), subject=one.subject, before=one.before, after=one.after)
