"""What a customer's host installs is there, ready made, for every system that is promised: nothing is compiled there.

Promised (agent/README.md): Linux on x86_64 and aarch64 with glibc 2.28 and newer, CPython 3.11 to 3.14. Read from the
names of the wheels in uv.lock, as PEP 425 and PEP 600 define them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))
MACHINES = ("x86_64", "aarch64")
GLIBC = (2, 28)
_OLD = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_ONLY_ELSEWHERE = re.compile(
    r"sys_platform == '(?:win32|darwin)'|platform_system == 'Windows'|implementation_name == 'pypy'"
)


def installed(lock: dict[str, Any], extra: str) -> dict[str, list[str]]:
    """The names of the wheels of every package that this extra brings to a Linux host, by package."""
    by_name = {package["name"]: package for package in lock["package"]}
    waiting = [each["name"] for each in by_name["sitewarden"]["optional-dependencies"][extra]]
    found: dict[str, list[str]] = {}
    while waiting:
        name = waiting.pop()
        if name not in found:
            package = by_name[name]
            found[name] = [wheel["url"].rpartition("/")[2] for wheel in package.get("wheels", ())]
            for each in package.get("dependencies", ()):
                if not _ONLY_ELSEWHERE.search(each.get("marker", "")):
                    waiting.append(each["name"])
    return found


def fits(wheel: str, python: tuple[int, int], machine: str) -> bool:
    """Whether this wheel can be installed there."""
    *_, pythons, abis, platforms = wheel.removesuffix(".whl").split("-")
    return any(
        _python_fits(tag, abi, python) and _platform_fits(platform, machine)
        for tag in pythons.split(".")
        for abi in abis.split(".")
        for platform in platforms.split(".")
    )


def _python_fits(tag: str, abi: str, python: tuple[int, int]) -> bool:
    if tag == "py3" and abi == "none":
        return True
    read = re.fullmatch(r"cp3(\d+)", tag)
    if read is None:
        return False
    version = (3, int(read[1]))
    return version <= python if abi == "abi3" else version == python and abi == tag


def _platform_fits(platform: str, machine: str) -> bool:
    if platform == "any":
        return True
    read = re.fullmatch(rf"(manylinux(?:1|2010|2014|_(\d+)_(\d+)))_{machine}", platform)
    if read is None:
        return False
    return (_OLD[read[1]] if read[2] is None else (int(read[2]), int(read[3]))) <= GLIBC


def missing(wheels: Iterable[str]) -> list[str]:
    """Where none of these wheels can be installed."""
    names = list(wheels)
    return [
        f"Python {python[0]}.{python[1]} on {machine}"
        for python in PYTHONS
        for machine in MACHINES
        if not any(fits(wheel, python, machine) for wheel in names)
    ]


LOCKED = installed(tomllib.loads((ROOT / "uv.lock").read_text()), "agent")


def test_the_lock_is_read() -> None:
    assert {"grpcio", "cryptography", "cffi", "msgspec", "typing-extensions"} <= set(LOCKED)
    assert not {"sqlalchemy", "numpy"} & set(LOCKED)


@pytest.mark.parametrize("package", sorted(LOCKED))
def test_every_package_of_the_agent_has_a_wheel_for_every_system(package: str) -> None:
    assert missing(LOCKED[package]) == [], f"{package} would have to be compiled at a customer's"


@pytest.mark.parametrize(
    ("wheel", "python", "machine", "good"),
    [
        ("a-1-py3-none-any.whl", (3, 14), "aarch64", True),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", (3, 11), "x86_64", True),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", (3, 12), "x86_64", False),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", (3, 11), "aarch64", False),
        ("a-1-cp39-abi3-manylinux_2_28_aarch64.whl", (3, 13), "aarch64", True),
        ("a-1-cp313-abi3-manylinux_2_28_aarch64.whl", (3, 12), "aarch64", False),
        ("a-1-cp314-cp314t-manylinux_2_28_x86_64.whl", (3, 14), "x86_64", False),
        ("a-1-cp312-cp312-manylinux_2_34_x86_64.whl", (3, 12), "x86_64", False),
        ("a-1-cp312-cp312-musllinux_1_2_x86_64.whl", (3, 12), "x86_64", False),
        ("a-1-cp312-cp312-win_amd64.whl", (3, 12), "x86_64", False),
    ],
)
def test_names_of_wheels_are_read_as_installers_read_them(
    wheel: str, python: tuple[int, int], machine: str, good: bool
) -> None:
    assert fits(wheel, python, machine) is good
