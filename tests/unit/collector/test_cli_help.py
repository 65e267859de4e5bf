"""`sitewarden --help` is said from a list; it must be what the commands say of themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sitewarden_collector.cli import ALONE, parser

SLOW = ("alembic", "fastapi", "grpc", "holidays", "httpx", "icalendar", "psycopg", "uvicorn")
WORK = ("cryptography", "google.protobuf", "numpy", "sqlalchemy.dialects.postgresql", "zstandard")


def _imported(*words: str) -> set[str]:
    program = "import sys; from sitewarden_collector.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_overview_says_what_the_commands_say() -> None:
    assert parser([]).format_help() == parser().format_help()
    assert parser(["--help"]).format_help() == parser().format_help()


def test_an_everyday_command_waits_for_no_library_that_it_does_not_use(tmp_path: Path) -> None:
    config = tmp_path / "collector.toml"
    config.write_text('data_dir = "data"\n')
    filling = "import sys; from pathlib import Path; from sitewarden_collector import config; "
    filling += "from sitewarden_collector.cli import _filling; _filling.fill(config.load(Path(sys.argv[1]))); "
    made = subprocess.run([sys.executable, "-c", filling + "print(*sys.modules)", str(config)], stdout=subprocess.PIPE)
    assert (tmp_path / "data" / "collector.db").stat().st_size
    assert b"alembic" not in made.stdout.split(), "it was another process that needed it"
    assert not _imported("ticket", "list", "--config", str(config)).intersection(SLOW + WORK)
    assert not _imported("site", "list", "--config", str(config)).intersection(SLOW + WORK[:3])


def test_the_overview_waits_for_no_database() -> None:
    program = "import sys, sitewarden_collector.cli as cli; cli.parser(['--help']).format_help(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "sqlalchemy" not in done.stdout.split()


def test_a_command_that_stands_alone_says_what_it_says_among_its_neighbours(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ALONE:
        said = []
        for one in (parser(words), parser()):
            with pytest.raises(SystemExit):
                one.parse_args([*words, "--help"])
            said.append(capsys.readouterr().out)
        assert said[0] == said[1]
