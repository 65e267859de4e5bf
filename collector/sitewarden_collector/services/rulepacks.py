"""The rulebook that the configuration names: shipped packs, then those in its folders, in the order of their names.

`packs = ["all"]` means every shipped pack; `packs_off` takes some out. A rule of a program costs a search of text
an event, and finds nothing where the program is not. And what follows from the book for agents: the levels whose
crossing they tell at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from sitewarden_alerting import assess, rulefile, rules
from sitewarden_alerting.rulefile import Complaints, Pack
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.config import Rules, WatchLevel
from sitewarden_collector.errors import ConfigError

ALL = "all"


def load(config: Rules) -> Rulebook:
    """The rulebook; raises ConfigError with every complaint about every file."""
    packs: list[Pack] = [_shipped_pack(name) for name in _wanted(config)]
    complaints: list[str] = []
    for name, text in _own(config):
        try:
            packs.append(rulefile.parse(text, name))
        except Complaints as error:
            complaints.append(str(error))
    if complaints:
        raise ConfigError("the rules cannot be used:\n" + "\n".join(complaints))
    return rulefile.combine(packs)


def watch_levels(given: Sequence[WatchLevel], rulebook: Rulebook) -> tuple[WatchLevel, ...]:
    """The levels that agents are sent, each once: those `given` in the configuration, those that the rules wait for,
    and those that let a forecast begin early."""
    needed = (*rules.watch_levels(rulebook), *assess.EARLY_LEVELS)
    ours = (WatchLevel(series=one.series, above=one.above, below=one.below) for one in needed)
    return tuple(dict.fromkeys((*given, *ours)))


def shipped() -> tuple[str, ...]:
    """The names of the shipped packs, `default` first."""
    names = [Path(one.name).stem for one in _folder().iterdir() if one.name.endswith(".toml")]
    return tuple(sorted(names, key=lambda name: (name != "default", name)))


def overview(config: Rules) -> list[tuple[str, bool, int]]:
    """Every shipped pack, whether it is in force, and how many rules it has."""
    wanted = _wanted(config)
    return [(name, name in wanted, len(_shipped_pack(name).rules)) for name in shipped()]


def _folder() -> Traversable:
    return resources.files("sitewarden_alerting") / "packs"


@cache
def _shipped_pack(name: str) -> Pack:
    return rulefile.parse((_folder() / f"{name}.toml").read_text(encoding="utf-8"), name)


def _wanted(config: Rules) -> list[str]:
    there = shipped()
    for key, names in (("packs", config.packs), ("packs_off", config.packs_off)):
        for name in names:
            if name not in there and (name, key) != (ALL, "packs"):
                raise ConfigError(f"rules.{key}: there is no shipped pack {name!r}; there are {', '.join(there)}")
    named = [one for name in config.packs for one in (there if name == ALL else (name,))]
    return [name for name in dict.fromkeys(named) if name not in config.packs_off]


def _own(config: Rules) -> list[tuple[str, str]]:
    found = []
    for folder in map(Path, config.dirs):
        if not folder.is_dir():
            raise ConfigError(f"rules.dirs: {folder} is not a folder; make it or take it out")
        for path in sorted(folder.glob("*.toml")):
            try:
                found.append((str(path), path.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path}: cannot be read ({error})") from error
    return found
