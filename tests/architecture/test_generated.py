"""The committed wire code is what the .proto files say, and the wire never breaks an agent in the field."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTOS = ROOT / "protos"
BIN = Path(sys.prefix) / "bin"
SOURCES = sorted((PROTOS / "sitewarden_protos" / "v1").glob("*.proto"))


def _run(*argv: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(cwd), "XDG_CACHE_HOME": str(cwd / ".cache")}
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def _breaking(old: Path, new: Path) -> str:
    done = _run(BIN / "buf", "breaking", new, "--against", old, cwd=new.parent)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_generated_code_is_current(tmp_path: Path) -> None:
    outs = [f"--{kind}_out={tmp_path}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    made = _run(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", *outs, *SOURCES)
    assert made.returncode == 0, made.stderr
    fresh = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*_pb2*"))
    committed = sorted(
        path.relative_to(PROTOS) for path in PROTOS.rglob("*_pb2*.py*") if "__pycache__" not in path.parts
    )
    assert fresh == committed, "run `make protos` and commit what it made"
    stale = [str(path) for path in fresh if (tmp_path / path).read_bytes() != (PROTOS / path).read_bytes()]
    assert stale == [], "run `make protos` and commit what it made"


def test_the_wire_keeps_the_rules_of_buf() -> None:
    done = _run(BIN / "buf", "lint", PROTOS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wire_does_not_break_the_last_release(tmp_path: Path) -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a checkout: there is no release to compare with")
    tag = _run(git, "describe", "--tags", "--abbrev=0", "--match", "v*")
    if tag.returncode:
        pytest.skip("nothing has been released yet: the wire may still change")
    archive = tmp_path / "old.tar"
    assert _run(git, "archive", "-o", archive, tag.stdout.strip(), "protos").returncode == 0
    shutil.unpack_archive(archive, tmp_path / "old")
    assert _breaking(tmp_path / "old" / "protos", PROTOS) == ""


def test_a_field_that_goes_away_is_seen_as_a_break(tmp_path: Path) -> None:
    """The test of the test above: without it a wrong path would compare nothing with nothing."""
    for name in ("old", "new"):
        shutil.copytree(PROTOS, tmp_path / name, ignore=shutil.ignore_patterns("*.py*", "__pycache__"))
    common = tmp_path / "new" / "sitewarden_protos" / "v1" / "common.proto"
    text = common.read_text()
    assert "  string hostname = 5;\n" in text
    common.write_text(text.replace("  string hostname = 5;\n", ""))
    assert "hostname" in _breaking(tmp_path / "old", tmp_path / "new")
    assert _breaking(tmp_path / "old", tmp_path / "old") == ""


def test_every_enum_has_an_unspecified_zero() -> None:
    for source in SOURCES:
        lines = [line.strip() for line in source.read_text().splitlines()]
        for at, line in enumerate(lines):
            if line.startswith("enum "):
                assert lines[at + 1].split(";")[0].endswith("_UNSPECIFIED = 0"), f"{source.name}: {line}"
