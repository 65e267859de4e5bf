"""What this host is: system, processors, memory, disks, network cards, and the product's components.

Promises: what cannot be read is empty, never an error; every word passes redaction; addresses only where the local
file x
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterable

from sitewarden_agent.model import Component, Disk, Inventory, NetworkCard
from sitewarden_agent.observe.metrics_cgroup import in_container
from sitewarden_agent.observe.metrics_disks import real_mounts
from sitewarden_agent.observe.procfs import Kernel, after, rows, unescaped

WORD_MAX = 200
LISTED_MAX = 100
_PASSING = ("lo", "veth", "docker", "br-", "virbr", "cali", "cni", "flannel", "ifb", "dummy")
_MAKERS = (
    ("vmware", "VMware"),
    ("virtualbox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("qemu", "KVM"),
    ("kvm", "KVM"),
    ("openstack", "KVM (OpenStack)"),
    ("amazon ec2", "Amazon EC2"),
    ("google", "Google Compute Engine"),
    ("alibaba", "Alibaba Cloud"),
    ("tencent", "Tencent Cloud"),
    ("huawei cloud", "Huawei Cloud"),
    ("microsoft corporation virtual machine", "Hyper-V"),
    ("xen", "Xen"),
    ("parallels", "Parallels"),
    ("bochs", "Bochs"),
)
_SIOCGIFADDR = 0x8915


def gathered(
    kernel: Kernel,
    *,
    redact: Callable[[str], str],
    agent_version: str,
    components: Iterable[Component] = (),
    addresses: bool = False,
) -> Inventory:
    """What there is to be told now."""

    def word(text: str) -> str:
        return redact(text[: 2 * WORD_MAX])[:WORD_MAX]

    system = os.uname()
    memory = kernel.once("/proc/meminfo") or b""
    cpu = kernel.once("/proc/cpuinfo") or b""
    return Inventory(
        hostname=word(socket.gethostname()),
        kernel=word(f"{system.sysname} {system.release}"),
        distribution=word(distribution(kernel)),
        architecture=word(system.machine),
        cpus=os.cpu_count() or 0,
        cpu_model=word(_cpu_model(cpu)),
        memory_bytes=(after(memory, b"MemTotal:") or 0) * 1024,
        swap_bytes=(after(memory, b"SwapTotal:") or 0) * 1024,
        virtualisation=word(virtualisation(kernel, cpu)),
        container=word(in_container(kernel)),
        agent_version=agent_version,
        python_version=".".join(map(str, sys.version_info[:3])),
        time_zone=word(_time_zone(kernel)),
        disks=tuple(disks(kernel, word)[:LISTED_MAX]),
        cards=tuple(cards(kernel, word, addresses=addresses)[:LISTED_MAX]),
        components=tuple(components)[:LISTED_MAX],
    )


def distribution(kernel: Kernel) -> str:
    """As it calls itself; inside a container the container's."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        for line in kernel.text(path).splitlines():
            key, _, value = line.partition("=")
            if key == "PRETTY_NAME":
                return value.strip().strip("\"'")
    return ""


def virtualisation(kernel: Kernel, cpuinfo: bytes) -> str:
    """By what the firmware says of its maker, else that there is a hypervisor."""
    maker = " ".join(kernel.text(f"/sys/class/dmi/id/{name}") for name in ("sys_vendor", "product_name")).lower()
    for sign, name in _MAKERS:
        if sign in maker:
            return name
    if kind := kernel.text("/sys/hypervisor/type"):
        return kind.capitalize()
    flags = cpuinfo.find(b"\nflags")
    return "virtual machine" if flags >= 0 and b" hypervisor" in cpuinfo[flags : flags + 4_096] else ""


def disks(kernel: Kernel, word: Callable[[str], str]) -> list[Disk]:
    """Each real file system once."""
    shown = set(real_mounts(kernel))
    found = {}
    for row in rows(kernel.once("/proc/self/mounts") or b""):
        mount = unescaped(row[1]) if len(row) > 2 else ""
        if mount in shown:
            try:
                status = os.statvfs(mount)
            except OSError:
                continue
            size = status.f_blocks * status.f_frsize
            found[mount] = Disk(word(mount), word(unescaped(row[0])), row[2].decode("ascii", "replace"), size)
    return [found[mount] for mount in sorted(found)]


def cards(kernel: Kernel, word: Callable[[str], str], *, addresses: bool) -> list[NetworkCard]:
    found = []
    for name in sorted(kernel.names("/sys/class/net")):
        if name.startswith(_PASSING):
            continue
        speed = max(0, kernel.number(f"/sys/class/net/{name}/speed") or 0)
        mine = (word(address) for address in _addresses(kernel, name)) if addresses else ()
        found.append(NetworkCard(word(name), speed, tuple(mine)))
    return found


def _addresses(kernel: Kernel, name: str) -> list[str]:
    """IPv4 as the kernel answers, IPv6 as it lists, the link-local ones left out."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            told = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            found.append(socket.inet_ntoa(told[20:24]))
        except OSError:
            pass
    for row in rows(kernel.once("/proc/net/if_inet6") or b""):
        if len(row) == 6 and row[5] == name.encode() and row[3] != b"20":
            found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0].decode())))
    return found


def _cpu_model(cpuinfo: bytes) -> str:
    for key in (b"model name", b"Model", b"Hardware"):
        at = cpuinfo.find(key)
        if at >= 0:
            return cpuinfo[at:].split(b"\n", 1)[0].partition(b":")[2].strip().decode("utf-8", "replace")
    return ""


def _time_zone(kernel: Kernel) -> str:
    if name := os.environ.get("TZ", "").lstrip(":"):
        return name
    try:
        target = os.readlink(f"{kernel.root}/etc/localtime")
    except OSError:
        return kernel.text("/etc/timezone")
    return target.partition("zoneinfo/")[2]
