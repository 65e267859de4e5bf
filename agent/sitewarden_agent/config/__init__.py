"""The agent's configuration: one TOML file, read once, frozen, nothing in it that is not known here.

Promises: a key that is not known is refused with the nearest one that is; every complaint names the file, the line
where it can, the key, and what to do.

    settings    what can be configured
    probes      the part of it that is about probes
    site        the part of it that is about the host, the product's processes and versions, and changes
    complaints  what is wrong with a file, in words for its author
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from sitewarden_agent.config import complaints
from sitewarden_agent.config.probes import (
    CommandProbe,
    FileProbe,
    HttpProbe,
    Probe,
    ProcessProbe,
    PrometheusProbe,
    SqlProbe,
    TcpProbe,
    UnitProbe,
)
from sitewarden_agent.config.settings import (
    Config,
    Folder,
    Health,
    Link,
    Log,
    Redact,
    Spool,
)
from sitewarden_agent.config.site import Changes, Component, Inventory, WatchedFiles, WatchedProcess
from sitewarden_agent.errors import ConfigError

__all__ = [
    "DEFAULT_PATH",
    "Changes",
    "CommandProbe",
    "Component",
    "Config",
    "FileProbe",
    "Folder",
    "Health",
    "HttpProbe",
    "Inventory",
    "Link",
    "Log",
    "Probe",
    "ProcessProbe",
    "PrometheusProbe",
    "Redact",
    "Spool",
    "SqlProbe",
    "TcpProbe",
    "UnitProbe",
    "WatchedFiles",
    "WatchedProcess",
    "load",
    "load_or_defaults",
    "parse",
]

DEFAULT_PATH = Path("/etc/sitewarden-agent/agent.toml")


def load(path: Path) -> Config:
    """The configuration in the file at `path`. Raises ConfigError, which names the place and what to do."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        message = f"there is no configuration at {path}; copy agent.example.toml there, or name one with --config"
        raise ConfigError(message) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path} cannot be read ({reason}); check its owner, mode and content") from None
    return parse(text, path)


def load_or_defaults(path: Path | None) -> Config:
    """What `load` gives; the defaults when no file was named and there is none in the usual place."""
    if path is None and not DEFAULT_PATH.exists():
        return Config()
    return load(path or DEFAULT_PATH)


def parse(text: str, path: Path) -> Config:
    """The configuration in `text`; `path` is for the complaints. Raises ConfigError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: this is not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: brackets are nested too deeply; a list here never holds lists in lists") from None
    if complaint := complaints.unknown_key(raw, Config):
        raise ConfigError(complaint.said(text, path))
    try:
        return msgspec.convert(raw, Config, strict=True, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise ConfigError(complaints.invalid_value(error).said(text, path)) from None


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value.startswith("/"):
        return Path(value)
    raise ValueError(f"must be an absolute path in quotes, not {value!r}")
