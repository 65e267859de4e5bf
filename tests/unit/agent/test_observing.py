"""Health, blocks, probes and the site's key: what is seen besides logs."""

from __future__ import annotations

import datetime
import math
import os
import threading
from pathlib import Path

import pytest

from sitewarden_agent.config import Folder, Health, Redact
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.model import Series
from sitewarden_agent.observe import redaction, sitekey
from sitewarden_agent.observe.blocks import Collecting
from sitewarden_agent.observe.metrics import Sampler
from sitewarden_agent.observe.records import zone
from sitewarden_agent.spool import WatchLevel
from sitewarden_protos import blocks

S = 1_000_000_000
CPU, DISK = Series("cpu_used_ratio", unit="ratio"), Series("filesystem_used_ratio", (("mountpoint", "/"),), "ratio")

# Health.


def test_a_host_has_the_vital_signs_with_units_in_their_names() -> None:
    sampler = Sampler(Health())
    found = {series.name: value for series, value in sampler.sample().items()}
    for name in ("cpu_used_ratio", "memory_used_ratio", "filesystem_used_ratio"):
        assert 0 <= found[name] <= 1
    for name in ("memory_available_bytes", "filesystem_size_bytes", "filesystem_avail_bytes", "uptime_seconds"):
        assert found[name] > 0
    assert {"load1", "network_receive_bytes_total", "network_transmit_bytes_total"} <= set(found)
    assert sampler.complaints == []


def test_a_data_folder_is_measured_against_its_limit(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "deep/b").write_bytes(b"x" * 500)
    os.link(tmp_path / "a", tmp_path / "deep/again")
    (tmp_path / "loop").symlink_to(tmp_path)
    health = Health(folders=(Folder(name="data", path=str(tmp_path), limit_bytes=5000),))
    found = {
        series.name: value for series, value in Sampler(health).sample().items() if ("folder", "data") in series.labels
    }
    assert found["folder_used_bytes"] == 1500 + (tmp_path / "loop").lstat().st_size
    assert found["folder_used_ratio"] == found["folder_used_bytes"] / found["folder_limit_bytes"]
    assert found["folder_limit_bytes"] == 5000


def test_a_folder_or_disk_that_is_not_there_is_a_complaint_and_the_rest_is_measured() -> None:
    health = Health(disks=("/", "/nowhere"), folders=(Folder(name="data", path="/nowhere", limit_bytes=1),))
    sampler = Sampler(health)
    assert CPU in sampler.sample()
    assert len([complaint for complaint in sampler.complaints if "/nowhere" in complaint]) == 2


# Blocks.


def test_a_block_closes_after_a_minute_and_holds_what_was_seen() -> None:
    collecting = Collecting()
    for tick in range(6):
        assert collecting.add(tick * 10 * S, {CPU: tick / 10, DISK: 0.5}) == []
    (block,) = collecting.add(60 * S, {CPU: 0.6, DISK: math.nan})
    assert block.series == (CPU, DISK)
    assert (block.ticks, block.early) == (7, False)
    times_ns, columns = blocks.decode(block.block, series=2)
    assert list(times_ns) == [tick * 10 * S for tick in range(7)]
    assert list(columns[0]) == [tick / 10 for tick in range(6)] + [0.6]


def test_a_block_closes_at_once_when_a_watch_level_is_crossed_in_either_direction() -> None:
    levels = [WatchLevel("filesystem_used_ratio", above=0.9)]
    collecting = Collecting()
    assert collecting.add(0, {CPU: 0.1, DISK: 0.5}, levels=levels) == []
    (over,) = collecting.add(10 * S, {CPU: 0.1, DISK: 0.95}, levels=levels)
    assert (over.ticks, over.early) == (2, True)
    assert collecting.add(20 * S, {CPU: 0.1, DISK: 0.96}, levels=levels) == []
    (under,) = collecting.add(30 * S, {CPU: 0.1, DISK: 0.5}, levels=levels)
    assert under.early


def test_a_first_value_beyond_a_level_does_not_wait() -> None:
    (block,) = Collecting().add(0, {DISK: 0.95}, levels=[WatchLevel("filesystem_used_ratio", above=0.9)])
    assert block.early


def test_another_set_of_series_or_a_clock_set_back_begins_a_new_block() -> None:
    collecting = Collecting()
    collecting.add(100 * S, {CPU: 0.1})
    (first,) = collecting.add(110 * S, {CPU: 0.1, DISK: 0.5})
    assert (first.series, first.ticks) == ((CPU,), 1)
    (second,) = collecting.add(50 * S, {CPU: 0.1, DISK: 0.5})
    assert second.ticks == 1


# The site's key.


def test_the_key_is_made_once_and_for_this_user_alone(tmp_path: Path) -> None:
    keys = []
    threads = [threading.Thread(target=lambda: keys.append(sitekey.read_or_make(tmp_path / "state"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    assert (tmp_path / "state/redaction.key").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "state") == ["redaction.key"]


def test_a_torn_key_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "redaction.key").write_bytes(b"")
    assert len(sitekey.read_or_make(tmp_path)) == 32


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="check who owns"):
        sitekey.read_or_make(tmp_path / "file/state")


# Redaction as the site configured it.


def test_words_of_a_file_of_their_own_are_redacted(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("# customers\nGlobex\n\n  Initech  \n")
    settings = Redact(literals_file=str(tmp_path / "words"), literals=("Hooli",), extra_keys=("tenant",))
    redacted = redaction.redactor(settings, key=b"k").redact("globex, Initech and HOOLI of tenant=blue: # customers")
    assert redacted.count("<literal:") == 3
    assert "blue" not in redacted
    assert redacted.endswith("# customers")


def test_nothing_leaves_when_the_words_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing leaves without it"):
        redaction.redactor(Redact(literals_file=str(tmp_path / "none")), key=b"k")


def test_a_time_zone_is_that_of_the_host_unless_it_is_named() -> None:
    assert zone("Asia/Shanghai").utcoffset(datetime.datetime(2026, 1, 1)) == datetime.timedelta(hours=8)  # noqa: DTZ001
    assert zone("local").utcoffset(datetime.datetime(2026, 1, 1)) is not None  # noqa: DTZ001
