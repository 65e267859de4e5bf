"""What a host is, kept as it is told; what became different is a change at the site, noted once."""

from __future__ import annotations

from dataclasses import replace

from sitewarden_alerting.observations import Change, Component, Disk, Inventory, NetworkCard, Observation
from sitewarden_collector.services import intake, privacy
from sitewarden_collector.services.inventories import differences
from sitewarden_collector.store import inventories, observations
from sitewarden_collector.store.engine import Database
from tests import cast
from tests.cast import HOUR, NOON

GIB = 1024**3
HOST = Inventory(
    hostname="web-1",
    kernel="Linux 6.1.0-18-amd64",
    distribution="Debian GNU/Linux 12 (bookworm)",
    architecture="x86_64",
    cpus=4,
    memory_bytes=8 * GIB,
    disks=(Disk("/", "/dev/sda1", "ext4", 40 * GIB),),
    cards=(NetworkCard("eth0", 1000),),
    components=(Component("shop", "4.2.0", "file"),),
)


def tell(db: Database, agent_id: str, seq: int, inventory: Inventory, *, now_ns: int = NOON) -> None:
    db.write_now(intake.accept, agent_id, batch=cast.batch(seq, inventory), now_ns=now_ns)


def changes_of(db: Database, site_id: str) -> list[Observation]:
    return db.read_now(observations.of_site, site_id, since_ns=0, until_ns=NOON + 99 * HOUR, kind="change")


def test_the_first_inventory_is_kept_and_is_no_change(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    tell(db, agent.id, 1, HOST)
    (kept,) = db.read_now(inventories.of_agent, agent.id)
    assert kept.inventory == HOST
    assert changes_of(db, agent.site_id) == []


def test_the_same_told_again_moves_only_its_end(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    tell(db, agent.id, 1, HOST)
    tell(db, agent.id, 2, HOST)
    (kept,) = db.read_now(inventories.of_agent, agent.id)
    assert kept.number == 1


def test_another_inventory_is_kept_beside_the_old_one_and_its_differences_are_changes(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    tell(db, agent.id, 1, HOST)
    tell(db, agent.id, 2, replace(HOST, kernel="Linux 6.1.0-21-amd64", memory_bytes=16 * GIB))
    kept = db.read_now(inventories.of_agent, agent.id)
    assert [one.number for one in kept] == [2, 1]
    assert [one.what for one in changes_of(db, agent.site_id)] == [
        Change("inventory", "kernel", "Linux 6.1.0-18-amd64", "Linux 6.1.0-21-amd64"),
        Change("inventory", "memory", "8.0 GiB", "16.0 GiB"),
    ]


def test_a_batch_that_comes_again_notes_nothing_twice(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    tell(db, agent.id, 1, HOST)
    for _ in range(3):
        tell(db, agent.id, 2, replace(HOST, cpus=8))
    assert [one.what for one in changes_of(db, agent.site_id)] == [Change("inventory", "processors", "4", "8")]


def test_only_the_newest_are_kept(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    for seq in range(1, inventories.KEPT + 4):
        tell(db, agent.id, seq, replace(HOST, cpus=seq))
    kept = db.read_now(inventories.of_agent, agent.id)
    assert len(kept) == inventories.KEPT
    assert kept[0].inventory.cpus == inventories.KEPT + 3


def test_disks_and_cards_that_come_go_and_grow_are_said() -> None:
    after = replace(
        HOST, disks=(Disk("/", size_bytes=80 * GIB), Disk("/srv", size_bytes=GIB)), cards=(NetworkCard("eth1"),)
    )
    said = [(change.subject, change.before, change.after) for change in differences(HOST, after)]
    assert said == [
        ("disk /", "40.0 GiB", "80.0 GiB"),
        ("disk /srv", "", "new, 1.0 GiB"),
        ("network card eth0", "there", "gone"),
        ("network card eth1", "", "new"),
    ]


def test_a_version_or_a_few_bytes_are_no_difference_of_the_host() -> None:
    after = replace(HOST, memory_bytes=8 * GIB - 4096, components=(Component("shop", "4.3.0", "file"),))
    assert list(differences(HOST, after)) == []


def test_an_erased_customer_leaves_no_inventory(db: Database) -> None:
    agent = db.write_now(cast.settle_agent)
    tell(db, agent.id, 1, HOST)
    db.write_now(privacy.erase, cast.ACME, by="ada", reason="the contract ended", now_ns=NOON)
    assert db.read_now(inventories.of_agent, agent.id) == []
