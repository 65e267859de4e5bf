"""The rulebook that the configuration names: shipped packs, then those in its folders, in the order of their names."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from sitewarden_alerting import rulefile
from sitewarden_alerting.rulefile import Complaints, Pack
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.config import Rules
from sitewarden_collector.errors import ConfigError


def load(rules: Rules) -> Rulebook:
    """The rulebook; raises ConfigError with every complaint about every file."""
    packs: list[Pack] = []
    complaints: list[str] = []
    for name, text in [*_shipped(rules), *_own(rules)]:
        try:
            packs.append(rulefile.parse(text, name))
        except Complaints as error:
            complaints.append(str(error))
    if complaints:
        raise ConfigError("the rules cannot be used:\n" + "\n".join(complaints))
    return rulefile.combine(packs)


def _shipped(rules: Rules) -> list[tuple[str, str]]:
    folder = resources.files("sitewarden_alerting") / "packs"
    there = {Path(one.name).stem: one for one in folder.iterdir() if one.name.endswith(".toml")}
    for name in rules.packs:
        if name not in there:
            raise ConfigError(f"rules.packs: there is no shipped pack {name!r}; there are {', '.join(sorted(there))}")
    return [(f"{name}.toml", there[name].read_text(encoding="utf-8")) for name in rules.packs]


def _own(rules: Rules) -> list[tuple[str, str]]:
    found = []
    for folder in map(Path, rules.dirs):
        if not folder.is_dir():
            raise ConfigError(f"rules.dirs: {folder} is not a folder; make it or take it out")
        for path in sorted(folder.glob("*.toml")):
            try:
                found.append((str(path), path.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path}: cannot be read ({error})") from error
    return found
