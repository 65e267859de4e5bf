"""The host's health out of /proc and /sys: of this host, and of made ones that have what this one lacks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitewarden_agent.config import Health, WatchedProcess
from sitewarden_agent.model import Series
from sitewarden_agent.observe import procfs
from sitewarden_agent.observe.metrics import Sampler
from sitewarden_agent.observe.metrics_cgroup import in_container
from sitewarden_agent.observe.metrics_disks import real_mounts
from sitewarden_agent.observe.metrics_processes import handles
from sitewarden_agent.observe.metrics_sensors import Temperatures
from sitewarden_agent.observe.procfs import Kernel

MIB = 1024 * 1024


def by_name(sample: dict[Series, float]) -> dict[str, float]:
    return {series.name: value for series, value in sample.items()}


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        there = root / path.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)


# This host, beside a second opinion.


def test_memory_disks_and_network_are_what_psutil_says() -> None:
    found = by_name(Sampler(Health()).sample())
    memory = psutil.virtual_memory()
    assert found["memory_size_bytes"] == memory.total
    assert found["memory_available_bytes"] == pytest.approx(memory.available, rel=0.1)
    assert found["cpu_count"] == psutil.cpu_count()
    assert found["uptime_seconds"] == pytest.approx(time.time() - psutil.boot_time(), abs=5)
    counters = psutil.disk_io_counters()
    if counters is not None:
        assert found["disk_written_bytes_total"] == pytest.approx(counters.write_bytes, rel=0.05, abs=MIB)
    mounts = {part.mountpoint for part in psutil.disk_partitions(all=False)}
    assert set(real_mounts(Kernel())) <= mounts | {"/"}


def test_processes_are_read_as_psutil_reads_them() -> None:
    seen = procfs.process(Kernel(), str(os.getpid()))
    assert seen is not None
    me = psutil.Process()
    assert (seen.name, seen.parent, seen.kernel) == (me.name()[:15], me.ppid(), False)
    assert seen.threads == me.num_threads()
    assert seen.resident * procfs.PAGE_BYTES == pytest.approx(me.memory_info().rss, rel=0.2)
    assert handles(Kernel(), str(os.getpid())) == pytest.approx(me.num_fds(), abs=2)


def test_the_processor_is_busy_while_somebody_computes() -> None:
    sampler = Sampler(Health(top_processes=False))
    sampler.sample(0.0)
    until_s = time.process_time() + 0.2
    while time.process_time() < until_s:
        pass
    assert by_name(sampler.sample(10.0))["cpu_used_ratio"] > 0.1


def test_health_is_read_without_psutil() -> None:
    code = "import sys, sitewarden_agent.observe.metrics; print('psutil' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


# The product's own processes.

CODE = "import os, sys, time; files = [open(os.devnull) for _ in range(20)]; print('up', flush=True); time.sleep(60)"


@contextmanager
def product(word: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", CODE, word], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def watching(word: str) -> Sampler:
    return Sampler(Health(top_processes=False, processes=(WatchedProcess(name="product", match=word),)))


def of_product(sample: dict[Series, float]) -> dict[str, float]:
    return {series.name: value for series, value in sample.items() if ("process", "product") in series.labels}


def test_the_products_processes_are_told_with_memory_handles_and_threads() -> None:
    with product("acme-orders-71") as process:
        found = of_product(watching("acme-orders-71").sample(0.0))
        assert found["process_count"] == 1
        assert found["process_resident_memory_bytes"] == pytest.approx(
            psutil.Process(process.pid).memory_info().rss, rel=0.2
        )
        assert found["process_open_fds"] >= 23
        assert 0 < found["process_open_fds_used_ratio"] < 1
        assert found["process_threads"] == 1
        assert found["process_restarts_total"] == 0
        assert 0 <= found["process_uptime_seconds"] < 60


def test_a_product_that_began_anew_is_a_restart_and_one_that_only_ended_is_none() -> None:
    sampler = watching("acme-orders-72")
    with product("acme-orders-72"):
        sampler.sample(0.0)
    gone = of_product(sampler.sample(10.0))
    assert (gone["process_count"], gone["process_restarts_total"]) == (0, 0)
    assert sampler.processes.restarts(10.0) == []
    with product("acme-orders-72"):
        back = of_product(sampler.sample(20.0))
        assert (back["process_count"], back["process_restarts_total"]) == (1, 1)
        assert sampler.processes.restarts(20.0) == [("product", 1)]
        assert sampler.processes.restarts(30.0) == []
        assert of_product(sampler.sample(30.0))["process_restarts_total"] == 1


def test_a_product_that_begins_anew_all_the_time_is_told_at_once_and_then_in_sums() -> None:
    sampler = watching("acme-orders-74")
    told = []
    for second in range(0, 40, 10):
        with product("acme-orders-74"):
            sampler.sample(float(second))
        told.append(sampler.processes.restarts(float(second)))
    assert told == [[], [("product", 1)], [], []]
    assert sampler.processes.restarts(700.0) == [("product", 2)]


def test_a_worker_that_comes_and_goes_beside_the_first_is_no_restart() -> None:
    sampler = watching("acme-orders-73")
    with product("acme-orders-73"):
        sampler.sample(0.0)
        with product("acme-orders-73"):
            assert of_product(sampler.sample(100.0))["process_count"] == 2
        assert of_product(sampler.sample(110.0))["process_restarts_total"] == 0
        assert of_product(sampler.sample(120.0))["process_count"] == 1


def stat(pid: int, name: str, *, ticks: int, pages: int = 10, flags: int = 0) -> dict[str, str]:
    line = f"{pid} ({name}) S 1 1 1 0 -1 {flags} 0 0 0 0 {ticks} 0 0 0 20 0 1 0 500 1000 {pages} 0\n"
    return {f"/proc/{pid}/stat": line}


def test_the_programs_that_take_the_most_are_told_by_their_names_alone(tmp_path: Path) -> None:
    many = {path: text for pid in range(20, 60) for path, text in stat(pid, f"lazy{pid}", ticks=0).items()}
    write(tmp_path, {"/proc/meminfo": f"MemTotal: {1000 * procfs.PAGE_BYTES // 1024} kB\n", **many})
    write(tmp_path, stat(11, "worker-1", ticks=0) | stat(12, "worker-2", ticks=0))
    write(tmp_path, stat(2, "kworker/0:1", ticks=0, flags=0x00200000) | stat(13, "carol-db", ticks=0, pages=500))
    sampler = Sampler(Health(), root=str(tmp_path), redact=lambda name: name.replace("carol", "<user>"))
    sampler.sample(0.0)
    cpus = os.cpu_count() or 1
    second = procfs.TICKS_A_SECOND * cpus
    write(tmp_path, stat(11, "worker-1", ticks=60 * second) | stat(12, "worker-2", ticks=30 * second))
    write(tmp_path, stat(2, "kworker/0:1", ticks=30 * second, flags=0x00200000))
    found = sampler.sample(600.0)
    shown = {
        dict(series.labels)["process"]: value for series, value in found.items() if "top_process_cpu" in series.name
    }
    assert shown == {"worker-N": 0.15, "kernel": 0.05, "<user>-db": 0.0}
    memory = {dict(s.labels)["process"]: value for s, value in found.items() if s.name == "top_process_memory_bytes"}
    assert memory["<user>-db"] == 500 * procfs.PAGE_BYTES


def test_the_set_of_programs_stays_the_same_for_long(tmp_path: Path) -> None:
    write(tmp_path, {"/proc/meminfo": "MemTotal: 1000000 kB\n"} | stat(11, "batch", ticks=0))
    sampler = Sampler(Health(), root=str(tmp_path))
    sampler.sample(0.0)
    write(tmp_path, stat(11, "batch", ticks=procfs.TICKS_A_SECOND * 100))
    names = [set(sampler.sample(60.0))]
    names += [set(sampler.sample(60.0 * minute)) for minute in range(2, 50)]
    assert all(each == names[0] for each in names)
    assert len(set(sampler.sample(60.0 * 70))) == len(names[0]) - 2


# A made host: what this one lacks.

HOST = {
    "/proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 400 kB\nSwapFree: 100 kB\n",
    "/proc/vmstat": "nr_free_pages 5\npswpin 3\npswpout 4\noom_kill 2\n",
    "/proc/stat": "cpu  100 0 100 600 150 0 0 50 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nprocs_blocked 3\n",
    "/proc/loadavg": "0.50 1.50 2.50 1/77 4242\n",
    "/proc/pressure/io": "some avg10=1.00 avg60=0.00 avg300=0.00 total=1000000\nfull avg10=0 total=0\n",
}


def test_waiting_for_disks_swapping_pressure_and_a_hypervisor_that_takes_are_told(tmp_path: Path) -> None:
    write(tmp_path, HOST)
    sampler = Sampler(Health(top_processes=False), root=str(tmp_path))
    found = by_name(sampler.sample(0.0))
    assert (found["cpu_used_ratio"], found["cpu_iowait_ratio"], found["cpu_steal_ratio"]) == (0.25, 0.15, 0.05)
    assert (found["load1"], found["load15"], found["threads"], found["processes_blocked"]) == (0.5, 2.5, 77, 3)
    assert (found["memory_used_ratio"], found["swap_used_ratio"], found["oom_kills_total"]) == (0.75, 0.75, 2)
    assert found["swap_written_bytes_total"] == 4 * procfs.PAGE_BYTES
    write(tmp_path, {"/proc/pressure/io": "some avg10=1.00 total=6000000\nfull avg10=0 total=2000000\n"})
    found = by_name(sampler.sample(10.0))
    assert (found["pressure_io_some_ratio"], found["pressure_io_full_ratio"]) == (0.5, 0.2)


def test_a_host_without_swap_or_pressure_says_nothing_of_them(tmp_path: Path) -> None:
    write(tmp_path, {"/proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"})
    sampler = Sampler(Health(top_processes=False), root=str(tmp_path))
    assert not [name for name in by_name(sampler.sample(0.0)) if name.startswith(("swap", "pressure", "cpu"))]
    assert sampler.complaints == []


CHIP = "/sys/class/hwmon/hwmon0"


def test_temperatures_are_told_by_sensor_with_their_share_of_the_critical(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"{CHIP}/name": "coretemp\n",
            f"{CHIP}/temp1_input": "45000\n",
            f"{CHIP}/temp1_label": "Package id 0\n",
            f"{CHIP}/temp1_crit": "90000\n",
            f"{CHIP}/temp2_input": "-128000\n",
            f"{CHIP}/in0_input": "12000\n",
        },
    )
    temperatures = Temperatures(Kernel(str(tmp_path)))
    found = dict(temperatures(0.0))
    labels = (("sensor", "coretemp Package id 0"),)
    assert found == {
        Series("temperature_celsius", labels, "celsius"): 45.0,
        Series("temperature_critical_ratio", labels, "ratio"): 0.5,
    }
    write(tmp_path, {f"{CHIP}/temp1_input": "50000\n"})
    assert dict(temperatures(10.0)) == found, "asked once a minute at most"
    assert 50.0 in dict(temperatures(61.0)).values()


def test_a_board_without_chips_has_its_thermal_zones(tmp_path: Path) -> None:
    write(
        tmp_path, {"/sys/class/thermal/thermal_zone0/type": "soc\n", "/sys/class/thermal/thermal_zone0/temp": "61500"}
    )
    assert list(dict(Temperatures(Kernel(str(tmp_path)))(0.0)).values()) == [61.5]


# Containers.

V2 = {
    "/.dockerenv": "",
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": "31 23 0:28 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n",
    "/sys/fs/cgroup/memory.max": f"{512 * MIB}\n",
    "/sys/fs/cgroup/memory.current": f"{400 * MIB}\n",
    "/sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {144 * MIB}\n",
    "/sys/fs/cgroup/memory.events": "low 0\noom 1\noom_kill 1\n",
    "/sys/fs/cgroup/cpu.max": "150000 100000\n",
    "/sys/fs/cgroup/cpu.stat": "usage_usec 1000000\nnr_periods 100\nnr_throttled 10\n",
    "/sys/fs/cgroup/pids.max": "100\n",
    "/sys/fs/cgroup/pids.current": "25\n",
}


def test_a_container_is_told_by_its_own_limits(tmp_path: Path) -> None:
    write(tmp_path, V2)
    sampler = Sampler(Health(top_processes=False), root=str(tmp_path))
    sampler.sample(0.0)
    write(tmp_path, {"/sys/fs/cgroup/cpu.stat": "usage_usec 8500000\nnr_periods 200\nnr_throttled 35\n"})
    found = by_name(sampler.sample(10.0))
    assert found["cgroup_memory_used_ratio"] == 0.5, "files that were read once go at the first need"
    assert (found["cgroup_cpu_limit_cores"], found["cgroup_cpu_used_ratio"]) == (1.5, 0.5)
    assert (found["cgroup_cpu_throttled_ratio"], found["cgroup_oom_kills_total"]) == (0.25, 1)
    assert found["cgroup_processes_used_ratio"] == 0.25
    assert in_container(Kernel(str(tmp_path))) == "docker"


def test_a_container_of_the_first_version_is_told_too(tmp_path: Path) -> None:
    own = "/docker/abc"
    mounts = [
        f"4{i} 31 0:3{i} {own} /sys/fs/cgroup/{name} ro - cgroup cgroup rw,{name}"
        for i, name in enumerate(("memory", "cpu,cpuacct", "pids"))
    ]
    write(
        tmp_path,
        {
            "/.dockerenv": "",
            "/proc/self/cgroup": f"4:memory:{own}\n3:cpu,cpuacct:{own}\n2:pids:{own}\n1:name=systemd:{own}\n",
            "/proc/self/mountinfo": "\n".join(mounts) + "\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": f"{100 * MIB}\n",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes": f"{80 * MIB}\n",
            "/sys/fs/cgroup/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {20 * MIB}\n",
            "/sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 10\nnr_throttled 5\nthrottled_time 9\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage": "5000000000\n",
        },
    )
    found = by_name(Sampler(Health(top_processes=False), root=str(tmp_path)).sample(0.0))
    assert (found["cgroup_memory_used_ratio"], found["cgroup_oom_kills_total"]) == (0.6, 3)
    assert found["cgroup_cpu_limit_cores"] == 0.5


def test_a_host_and_a_container_without_limits_say_nothing_of_groups(tmp_path: Path) -> None:
    write(tmp_path, V2 | {"/sys/fs/cgroup/memory.max": "max\n", "/sys/fs/cgroup/cpu.max": "max 100000\n"})
    found = by_name(Sampler(Health(top_processes=False), root=str(tmp_path)).sample(0.0))
    assert not [name for name in found if name.startswith("cgroup")]


def test_a_container_has_its_root_and_its_volumes_and_no_single_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "/proc/filesystems": "nodev\tproc\n\text4\nnodev\toverlay\n\txfs\n",
            "/proc/self/mounts": (
                "overlay / overlay rw 0 0\n/dev/sda1 /etc/hosts ext4 rw 0 0\n"
                "/dev/sdb1 /srv/my\\040data xfs rw 0 0\n/dev/sdb1 /srv/my\\040data/deep xfs rw 0 0\n"
                "proc /proc proc rw 0 0\n"
            ),
            "/etc/hosts": "",
        },
    )
    (tmp_path / "srv/my data/deep").mkdir(parents=True)
    assert real_mounts(Kernel(str(tmp_path))) == ["/", "/srv/my data"]


def test_the_customers_words_in_a_folders_name_are_taken_out(tmp_path: Path) -> None:
    (tmp_path / "globex").mkdir()
    health = Health(disks=(str(tmp_path / "globex"),), top_processes=False)
    found = Sampler(health, redact=lambda text: text.replace("globex", "<literal>")).sample()
    (mount,) = {dict(series.labels)["mountpoint"] for series in found if series.name == "filesystem_size_bytes"}
    assert mount == f"{tmp_path}/<literal>"


# Whatever a file says.


@given(st.binary(max_size=300))
def test_no_line_breaks_the_reading_of_processes(line: bytes) -> None:
    procfs.process_line(line)
    procfs.process_line(b"1 (a) " + line)
    procfs.named(line, b"Tcp:", b"CurrEstab")
    procfs.after(line, b"total=")
    procfs.unescaped(line)


def test_a_name_with_blanks_and_parentheses_is_read() -> None:
    line = b"7 (a) b (c) S 1 7 7 0 -1 4194304 5 0 0 0 11 31 0 0 20 0 4 0 900 1000 25 184467"
    assert procfs.process_line(line) == procfs.Process("a) b (c", "S", 1, False, 42, 4, 900, 25)


@pytest.mark.parametrize("garbage", ["", "\n", "cpu\n", "x y z\n", "cpu  a b c\n", "\0" * 50, "Tcp: a\nTcp:\n"])
def test_a_kernel_that_tells_nonsense_costs_its_family_and_no_other(tmp_path: Path, garbage: str) -> None:
    files = ("stat", "meminfo", "vmstat", "loadavg", "net/dev", "net/snmp", "net/sockstat", "diskstats", "pressure/cpu")
    write(tmp_path, {f"/proc/{name}": garbage for name in (*files, "sys/fs/file-nr", "self/cgroup", "1/stat")})
    found = by_name(Sampler(Health(), root=str(tmp_path)).sample(0.0))
    assert "filesystem_used_ratio" in found


def test_values_have_no_digits_that_nobody_measured() -> None:
    sampler = Sampler(Health())
    for _ in range(2):
        values = sampler.sample()
    sampler.close()
    long = {series: value for series, value in values.items() if series.unit == "ratio" and round(value, 4) != value}
    assert long == {}
    uptime_s = values[Series("uptime_seconds", unit="seconds")]
    assert uptime_s == round(uptime_s, 1)
