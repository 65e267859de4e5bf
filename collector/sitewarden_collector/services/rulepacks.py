"""The rulebook that the configuration names: shipped packs, then those in its folders, in the order of their names.

And what follows from it for agents: the levels whose crossing they tell at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from sitewarden_alerting import assess, rulefile, rules
from sitewarden_alerting.rulefile import Complaints, Pack
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.config import Rules, WatchLevel
from sitewarden_collector.errors import ConfigError


def load(config: Rules) -> Rulebook:
    """The rulebook; raises ConfigError with every complaint about every file."""
    packs: list[Pack] = []
    complaints: list[str] = []
    for name, text in [*_shipped(config), *_own(config)]:
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


def _shipped(config: Rules) -> list[tuple[str, str]]:
    folder = resources.files("sitewarden_alerting") / "packs"
    there = {Path(one.name).stem: one for one in folder.iterdir() if one.name.endswith(".toml")}
    for name in config.packs:
        if name not in there:
            raise ConfigError(f"rules.packs: there is no shipped pack {name!r}; there are {', '.join(sorted(there))}")
    return [(f"{name}.toml", there[name].read_text(encoding="utf-8")) for name in config.packs]


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
