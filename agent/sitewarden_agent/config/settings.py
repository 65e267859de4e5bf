"""What can be configured. Every field says what it is where it is declared, with its unit in its name.

deploy/agent/agent.example.toml has every key; a test keeps it so. Not here: reading the file, what the settings do.
"""

from __future__ import annotations

import zoneinfo
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from sitewarden_agent.config import keeping
from sitewarden_agent.config.allowed import RemoteConfig
from sitewarden_agent.config.probes import Probe, check_address
from sitewarden_agent.config.site import Changes, Component, Inventory, WatchedFiles, WatchedProcess
from sitewarden_alerting.reading.forms import Format

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_. \-]{0,63}$")]
Seconds = Annotated[float, Meta(gt=0)]
Severity = Literal["debug", "info", "warning", "error", "critical"]
PseudonymKind = Literal["mail", "phone", "id", "ip", "user"]


class Link(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[link]: the road to headquarters."""

    endpoints: tuple[str, ...] = ()
    """host:port of collectors, instead of those learned at enrolment."""
    proxy: str | None = None
    """URL of an HTTP proxy, http://host:port. Proxies of the environment are never used."""
    backoff_base_s: Seconds = 1.0
    """First wait after a lost connection; doubles with each failure, with full jitter."""
    backoff_cap_s: Seconds = 45.0
    """Longest wait between two tries: within a minute of headquarters' return everybody is back."""

    def __post_init__(self) -> None:
        if self.proxy is not None and urlsplit(self.proxy).scheme != "http":
            raise ValueError(f"proxy must be a URL like http://proxy.example:3128, not {self.proxy!r}")
        for endpoint in self.endpoints:
            check_address("endpoints", endpoint)


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """[[logs]]: files of one log, followed through rotations."""

    name: Name
    """What this log is called in tickets. Keep it: reading resumes by it."""
    paths: tuple[str, ...] = ()
    """Absolute paths; *, ? and [..] match within a folder, ** any depth."""
    journal: bool = False
    """Read the systemd journal instead of files. The agent then starts journalctl, and nothing else."""
    units: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    """Of the journal: only what these units wrote, as `journalctl --unit` takes them. Empty: everything."""
    journal_folder: str | None = None
    """Of the journal: a folder with journal files that is not this host's own, as `journalctl --directory` takes it."""
    exclude: tuple[str, ...] = ("*.gz", "*.xz", "*.bz2", "*.zst", "*.zip")
    """Patterns of file names or whole paths that are not read."""
    format: Format = "auto"
    """How records look. Every common format is recognised by itself; one that is set is the only one tried."""
    encoding: Literal["auto", "utf-8", "utf-16-le", "utf-16-be", "gb18030", "latin-1"] = "auto"
    """How text is written. All but latin-1 is recognised by itself, file by file."""
    min_severity: Severity = "warning"
    """Records below this stay here."""
    start: Literal["end", "start"] = "end"
    """Where to begin in files that are there when this log is first watched. Later files are always read whole."""
    zone: str = "local"
    """Time zone of times written without one: local, or a name like Asia/Shanghai."""
    keep: Annotated[tuple[str, ...], Meta(max_length=500)] = ()
    """Regular expressions: records with a line that one of them finds are sent whatever their severity."""
    storm_per_minute: Annotated[int, Meta(ge=0)] = 20
    """So many records of one fingerprint go one by one in a minute; the others are counted. 0: all go."""

    def __post_init__(self) -> None:
        if self.journal == bool(self.paths):
            raise ValueError("a log needs either paths, or journal = true")
        if not self.journal and (self.units or self.journal_folder is not None):
            raise ValueError("units and journal_folder are for the journal; set journal = true, or leave them out")
        if any(not unit or unit.startswith("-") for unit in self.units):
            raise ValueError("units must be like postgresql.service")
        if self.journal_folder is not None and not self.journal_folder.startswith("/"):
            raise ValueError(f"journal_folder must be absolute; {self.journal_folder!r} is not")
        for path in self.paths:
            if not path.startswith("/"):
                raise ValueError(f"paths must be absolute; {path!r} is not")
        for pattern in self.keep:
            if (wrong := keeping.complaint(pattern)) is not None:
                raise ValueError(f"keep has {pattern!r}: {wrong}")
        if self.zone != "local":
            try:
                zoneinfo.ZoneInfo(self.zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError):
                raise ValueError(
                    f"zone {self.zone!r} is not known; use local, UTC or a name like Asia/Shanghai"
                ) from None


class Folder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[health.folders]]: a data folder of the product with a stated limit."""

    name: Name
    """What the folder is called in warnings."""
    path: str
    """Absolute path."""
    limit_bytes: Annotated[int, Meta(gt=0)]
    """The size at which the product stops working."""


class Health(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[health]: samples of the host."""

    interval_s: Annotated[float, Meta(ge=0.1)] = 10.0
    """Time between two samples."""
    disks: tuple[str, ...] = ()
    """Mount points to watch; empty: every real file system."""
    folders: tuple[Folder, ...] = ()
    """Folders whose size is sampled."""
    top_processes: bool = True
    """Whether the programs that take the most of the host are told, by their short names."""
    processes: tuple[WatchedProcess, ...] = ()
    """Programs of the product that are sampled each on its own."""


class Redact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[redact]: what must not leave this host, beyond what is always taken out (secrets)."""

    literals: tuple[Annotated[str, Meta(min_length=3)], ...] = ()
    """Words of your own: names of customers, projects, hosts. Found in any case."""
    literals_file: str | None = None
    """A file with one such word a line, so that they need not stand here."""
    extra_keys: tuple[Annotated[str, Meta(min_length=2)], ...] = ()
    """Further key names whose values are secret."""
    rules_file: str | None = None
    """A file of your own rules for secrets, in the format of gitleaks. Ours always hold beside them."""
    pseudonyms: tuple[PseudonymKind, ...] = ("mail", "phone", "id", "ip", "user")
    """Kinds of personal data that are replaced by pseudonyms, keyed with this site's own key."""


class Spool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[spool]: what waits on disk for headquarters."""

    max_bytes: Annotated[int, Meta(ge=4 * 1024 * 1024)] = 512 * 1024 * 1024
    """Upper bound of the spool."""
    max_age_h: Annotated[float, Meta(gt=0)] = 168.0
    """What waited longer is given up, and headquarters is told."""
    max_disk_share: Annotated[float, Meta(gt=0, le=1)] = 0.9
    """Past this share of the file system in use, by whomever, the spool stops growing."""
    acked_keep_h: Annotated[float, Meta(ge=0)] = 24.0
    """How long delivered batches stay, for headquarters restored from a backup."""
    parked_max: Annotated[int, Meta(ge=1)] = 100
    """How many batches refused for good are kept to be looked at."""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[limits]: what all processes of the agent may take together. The disk's limit is `max_bytes` under [spool]."""

    memory_mb: Annotated[int, Meta(ge=64)] = 192
    """Resident memory, in MiB. Before it is reached the agent samples less, then reads less, then waits."""
    cpu_share: Annotated[float, Meta(ge=0.01, le=64)] = 0.25
    """Of one core, in the mean; short efforts may take more."""


class Deadman(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[deadman]: tells by another road when headquarters itself is silent. Off without a url."""

    url: str | None = None
    """Where to post it: http:// or https://."""
    after_s: Seconds = 300.0
    """How long headquarters must have been silent."""

    def __post_init__(self) -> None:
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("url must be like https://alarms.example/hooks/collector")


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    state_dir: Path = Path("/var/lib/sitewarden-agent")
    """Folder for the spool, the key and the certificate. Only the agent's user may read it."""
    link: Link = Link()
    """The road to headquarters."""
    logs: tuple[Log, ...] = ()
    """Logs to follow."""
    health: Health = Health()
    """Samples of the host."""
    probes: tuple[Probe, ...] = ()
    """The product's own health, looked at from outside."""
    redact: Redact = Redact()
    """What must not leave this host."""
    spool: Spool = Spool()
    """What waits on disk."""
    limits: Limits = Limits()
    """What the agent may take of this host."""
    deadman: Deadman = Deadman()
    """Watching headquarters."""
    remote_config: RemoteConfig = RemoteConfig()
    """What headquarters may change."""
    inventory: Inventory = Inventory()
    """What this host is."""
    components: tuple[Component, ...] = ()
    """Parts of the product whose versions are told."""
    watch_files: tuple[WatchedFiles, ...] = ()
    """Configuration files whose changes are told."""
    changes: Changes = Changes()
    """What else is told when it changes."""

    def __post_init__(self) -> None:
        _check_unique("logs", [log.name for log in self.logs])
        _check_unique("probes", [probe.name for probe in self.probes])
        _check_unique("health.folders", [folder.name for folder in self.health.folders])
        _check_unique("health.processes", [process.name for process in self.health.processes])
        _check_unique("components", [component.name for component in self.components])


def _check_unique(section: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{section} has the name {name!r} twice; give each its own")
