"""The rules and the policy that the configuration asks for: shipped packs, folders of packs, the people on call."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from sitewarden_alerting import rulefile
from sitewarden_alerting.model import Person, Policy
from sitewarden_alerting.rulefile import Complaints, Pack
from sitewarden_alerting.rules import Rulebook
from sitewarden_collector.config import Config
from sitewarden_collector.errors import ConfigError


def rulebook(config: Config) -> Rulebook:
    """The shipped packs in their order, then every *.toml of the folders by name. Raises ConfigError with every
    mistake in the first file that has any."""
    packs = [shipped(name) for name in config.rules.packs]
    for folder in config.rules.dirs:
        if not Path(folder).is_dir():
            raise ConfigError(f"rules.dirs: {folder} is not a folder; make it, or take it out of the configuration")
        packs += [read(path) for path in sorted(Path(folder).glob("*.toml"))]
    return rulefile.combine(packs)


def shipped(name: str) -> Pack:
    """A pack that comes with Sitewarden. Raises ConfigError for a name that there is not."""
    folder = resources.files("sitewarden_alerting") / "packs"
    known = sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml"))
    if name not in known:
        raise ConfigError(f"rules.packs: there is no shipped pack {name!r}; there are: {', '.join(known)}")
    return rulefile.parse((folder / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml")


def read(path: Path) -> Pack:
    """The pack in a file. Raises ConfigError with everything that is wrong, line by line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a readable file of rules") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    try:
        return rulefile.parse(text, str(path))
    except Complaints as error:
        raise ConfigError(f"{path} has {len(error.complaints)} mistakes:\n{error}") from error


def policy(config: Config) -> Policy:
    """What triage and assessment go by."""
    return Policy(on_call=tuple(Person(one.name, tuple(one.channels)) for one in config.on_call))
