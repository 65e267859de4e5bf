"""The collector's configuration: one TOML file, frozen values, units in the names.

Every key has a default, so `sitewarden serve` works without a file. What is not known is refused with the file and the
place, and the nearest known word. Relative paths are relative to the file (without a file: to the working directory).
Secrets may stand in files of their own: `url_file` instead of `url`. Not here: what a rule pack or a channel means.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sitewarden_collector.errors import ConfigError

DATA_VARIABLE = "SITEWARDEN_DATA"
DEFAULT_DATA = "sitewarden-data"
PAGE_SEVERITIES = ("warning", "error", "critical")
WIRE_MAX_BYTES = 4 * 1024 * 1024


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file. Unknown keys are refused."""


class DatabaseConfig(Table, frozen=True):
    url: str = ""  # sqlite:///PATH or postgresql://...; empty: collector.db in data_dir

    def __repr__(self) -> str:
        return f"DatabaseConfig(at {self.url.rpartition('@')[2]!r})"  # its url may hold a password


class Listen(Table, frozen=True):
    """Where this process listens, host:port; port 0 takes a free one."""

    streams: str = "0.0.0.0:7443"  # agents, mutual TLS
    enrolment: str = "0.0.0.0:7444"  # enrolment and renewal, server-authenticated TLS
    http: str = "127.0.0.1:7480"  # health, metrics


class Advertise(Table, frozen=True):
    """How agents reach this collector. The server certificate is made for these names."""

    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    streams_port: int = 0  # 0: the port of [listen]; another where a port is forwarded
    enrolment_port: int = 0


class PkiConfig(Table, frozen=True):
    agent_certificate_days: float = 30.0
    server_certificate_days: float = 90.0
    renewal_grace_days: float = 7.0  # how long after its expiry a certificate can still be renewed


class Limits(Table, frozen=True):
    """What one agent may ask of this collector."""

    max_batch_bytes: int = WIRE_MAX_BYTES
    max_body_bytes: int = 8 * 1024 * 1024  # after decompression
    max_batch_observations: int = 10_000
    credits: int = 8  # batches under way
    batches_per_s: float = 50.0
    batch_burst: int = 200
    bytes_per_s: float = 1024.0 * 1024.0
    bytes_burst: int = 32 * 1024 * 1024
    connects_per_s: float = 250.0  # of all agents: those that come at once wait their turn
    heartbeat_s: float = 30.0
    clock_skew_max_s: float = 86_400.0  # further off than this cannot be corrected
    future_tolerance_s: float = 60.0  # an observation is never later than its receipt by more than this
    drain_window_s: float = 30.0  # over how long agents spread their return, at most, after this collector stopped


class WatchLevel(Table, frozen=True):
    """A value that matters now: an agent sends its samples at once when it is crossed."""

    series: str
    above: float | None = None
    below: float | None = None


class Person(Table, frozen=True):
    name: str
    channels: tuple[str, ...] = ()  # names of [channels.NAME], the first is tried first


class Channel(Table, frozen=True):
    url: str = ""  # as apprise has it, webhook+https://..., or log:
    url_file: str = ""  # the file that holds the url, where it is a secret

    def __repr__(self) -> str:
        return f"Channel(url_file={self.url_file!r})"  # a url may hold a secret


class Rules(Table, frozen=True):
    packs: tuple[str, ...] = ("all",)  # shipped packs by name, or all of them
    packs_off: tuple[str, ...] = ()  # those that are not wanted
    dirs: tuple[str, ...] = ()  # folders of further packs, *.toml


class Triage(Table, frozen=True):
    """What tickets go by."""

    page_severity: str = "error"  # warning, error or critical: this and worse page, the rest waits for the day
    reopen_days: float = 7.0  # what comes back within it reopens its ticket; later it is a new one
    recovery_quiet_s: float = 300.0  # that long recovered before a ticket resolves itself
    still_firing_s: float = 900.0  # that long after somebody resolved what still goes on, it reopens
    flap_window_s: float = 1800.0  # so many returns within it, and a ticket is held open four times as long
    flap_count: int = 3


class Retention(Table, frozen=True):
    samples_days: float = 30.0
    rollups_days: float = 730.0  # what each hour and day came to
    observations_days: float = 90.0  # evidence of an open ticket is kept longer
    evidence_days: float = 365.0  # of a ticket, after it was closed
    correspondence_days: float = 1095.0  # comments and attachments of a ticket, after it was closed
    audit_days: float = 1095.0


class Heartbeat(Table, frozen=True):
    """The beat that an outside monitor misses when this collector does not do its work. Off without a url."""

    url: str = ""  # http(s)://, posted to
    interval_s: float = 30.0

    def __repr__(self) -> str:
        return f"Heartbeat(interval_s={self.interval_s!r})"  # whoever has the url can beat for us


class Webhooks(Table, frozen=True):
    """Other programs: those that are told (`sitewarden webhook`), and those that tell of alerts."""

    allow_private: bool = False  # also tell addresses in private networks


class Console(Table, frozen=True):
    """The pages for people."""

    public_url: str = ""  # how browsers reach them, as https://desk.example.com; requests for other hosts are refused
    certificate_file: str = ""  # PEM, with its chain: listen.http then speaks TLS itself; empty: a proxy before it does
    key_file: str = ""


class SignIn(Table, frozen=True):
    """What signing in asks for, and how long it lasts."""

    idle_hours: float = 12.0  # a session that nobody used for so long has ended
    session_days: float = 7.0  # and so has one that is that old
    second_factor_roles: tuple[str, ...] = ("admin",)  # roles that must have a second factor
    password_min: int = 12  # characters


class Oidc(Table, frozen=True):
    """A provider that people sign in with (OpenID Connect). Off without an issuer."""

    issuer: str = ""  # https://login.example.com/realms/support
    client_id: str = ""
    client_secret_file: str = ""
    name: str = "single sign-on"  # on the button
    scopes: str = "openid profile email"
    groups_claim: str = "groups"
    roles: dict[str, str] = {}  # group = role; nobody else gets in, but by default_role
    customers: dict[str, str] = {}  # group = customer, for the role customer
    domains: tuple[str, ...] = ()  # of verified mail addresses that get in; empty: any
    default_role: str = ""  # of those in no group of roles; empty: they do not get in


class Mailbox(Table, frozen=True):
    """Where answers to pages arrive (IMAP). Off without a host."""

    host: str = ""
    port: int = 993
    tls: bool = True
    user: str = ""
    password: str = ""
    password_file: str = ""  # the file that holds the password
    folder: str = "INBOX"
    interval_s: float = 20.0

    def __repr__(self) -> str:
        return f"Mailbox(host={self.host!r}, user={self.user!r})"


class RemoteWrite(Table, frozen=True):
    """A store that samples are sent to by Prometheus's remote write, and read back from. Off without a url."""

    url: str = ""  # http(s)://HOST:9090/api/v1/write
    read_url: str = ""  # http(s)://HOST:9090, asked for /api/v1/query_range; empty: nothing is read back
    user: str = ""
    password: str = ""  # or $SITEWARDEN_REMOTE_WRITE_PASSWORD
    password_file: str = ""  # the file that holds it
    bearer: str = ""  # or $SITEWARDEN_REMOTE_WRITE_BEARER
    bearer_file: str = ""
    ca_file: str = ""  # PEM: authorities that are trusted instead of this host's
    headers: dict[str, str] = {}
    labels: dict[str, str] = {}  # that every series gets
    timeout_s: float = 20.0
    samples_per_request: int = 10_000

    def __repr__(self) -> str:
        return f"RemoteWrite(url={self.url.partition('?')[0]!r})"  # all else may be secret


class Export(Table, frozen=True):
    remote_write: RemoteWrite = RemoteWrite()


class Config(Table, frozen=True):
    data_dir: str = ""
    processes: int = 1  # that share the ports of [listen], each with /metrics on its number after listen.http's port
    database: DatabaseConfig = DatabaseConfig()
    listen: Listen = Listen()
    advertise: Advertise = Advertise()
    pki: PkiConfig = PkiConfig()
    limits: Limits = Limits()
    watch_levels: tuple[WatchLevel, ...] = ()
    on_call: tuple[Person, ...] = ()
    channels: dict[str, Channel] = {}
    rules: Rules = Rules()
    triage: Triage = Triage()
    retention: Retention = Retention()
    webhooks: Webhooks = Webhooks()
    heartbeat: Heartbeat = Heartbeat()
    mailbox: Mailbox = Mailbox()
    console: Console = Console()
    sign_in: SignIn = SignIn()
    oidc: Oidc = Oidc()
    export: Export = Export()

    @property
    def data_path(self) -> Path:
        return Path(self.data_dir)

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.data_path / 'collector.db'}"


def load(path: Path | None = None, *, environment: dict[str, str] | None = None) -> Config:
    """The configuration in the file at `path`, or the defaults; raises ConfigError with the file and the place."""
    if path is None:
        return resolve(Config(), Path.cwd(), environment=environment)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a readable file with --config") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    return resolve(parse(text, str(path)), path.resolve().parent, environment=environment)


def parse(text: str, name: str = "configuration") -> Config:
    """The configuration in `text`; `name` is what complaints call it."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: is not TOML: {error}") from error
    except RecursionError:
        raise ConfigError(f"{name}: brackets are nested too deeply; a list here never holds lists in lists") from None
    _refuse_unknown(raw, Config, name, "")
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {_place(str(error))}") from error
    _check(config, name)
    return config


def resolve(config: Config, base: Path, *, environment: dict[str, str] | None = None) -> Config:
    """`config` with every relative path made absolute and every secret file read."""
    known = os.environ if environment is None else environment
    chosen = config.data_dir or known.get(DATA_VARIABLE, DEFAULT_DATA)
    secret_file, mailbox = config.oidc.client_secret_file, config.mailbox
    channels = {name: _read_secret(name, channel, base) for name, channel in config.channels.items()}
    return msgspec.structs.replace(
        config,
        data_dir=str(base / chosen),
        channels=channels,
        console=_beside(config.console, base),
        mailbox=msgspec.structs.replace(
            mailbox, password=_kept_in("mailbox", "password", mailbox.password_file, base) or mailbox.password
        ),
        export=Export(remote_write=_read_signing_in(config.export.remote_write, base, known)),
        oidc=msgspec.structs.replace(config.oidc, client_secret_file=str(base / secret_file) if secret_file else ""),
        rules=msgspec.structs.replace(config.rules, dirs=tuple(str(base / folder) for folder in config.rules.dirs)),
    )


def split_address(address: str, key: str) -> tuple[str, int]:
    """`host:port` as its parts; raises ConfigError that names `key`."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) <= 65_535 or not host:
        raise ConfigError(f"{key}: {address!r} is not host:port, as in 0.0.0.0:7443 (port 0 takes a free one)")
    return host.strip("[]"), int(port)


def _check(config: Config, name: str) -> None:
    for key in ("streams", "enrolment", "http"):
        split_address(getattr(config.listen, key), f"{name}: listen.{key}")
    if config.processes < 1:
        raise ConfigError(f"{name}: processes is {config.processes}; at least one has to serve")
    if not config.advertise.names:
        raise ConfigError(f"{name}: advertise.names is empty; name at least one host by which agents reach this one")
    for table in ("pki", "limits", "triage", "retention", "heartbeat"):
        for field in msgspec.structs.fields(getattr(config, table)):
            value = getattr(getattr(config, table), field.name)
            if not isinstance(value, str) and value <= 0:
                raise ConfigError(f"{name}: {table}.{field.name} is {value}; it must be more than 0")
    if config.triage.page_severity not in PAGE_SEVERITIES:
        given, known = config.triage.page_severity, PAGE_SEVERITIES
        raise ConfigError(f"{name}: triage.page_severity cannot be {given!r}{_did_you_mean(given, known)}")
    if config.limits.max_batch_bytes > WIRE_MAX_BYTES:
        raise ConfigError(f"{name}: limits.max_batch_bytes is more than the {WIRE_MAX_BYTES} that the wire allows")
    for person in config.on_call:
        for wanted in person.channels:
            if wanted not in config.channels:
                hint = _did_you_mean(wanted, config.channels)
                raise ConfigError(f"{name}: on_call {person.name!r}: there is no channel {wanted!r}{hint}")
    for title, channel in config.channels.items():
        if bool(channel.url) == bool(channel.url_file):
            raise ConfigError(f"{name}: channels.{title}: give exactly one of url and url_file")
    for level in config.watch_levels:
        if level.above is None and level.below is None:
            raise ConfigError(f"{name}: watch_levels for {level.series!r}: give above, below, or both")


def _read_secret(name: str, channel: Channel, base: Path) -> Channel:
    if not channel.url_file:
        return channel
    path, url = base / channel.url_file, _kept_in(f"channels.{name}", "url", channel.url_file, base)
    if not url:
        raise ConfigError(f"channels.{name}.url_file: {path} is empty; write the channel's url into it")
    return Channel(url=url, url_file=str(path))


def _read_signing_in(remote: RemoteWrite, base: Path, environment: Mapping[str, str]) -> RemoteWrite:
    found = {"ca_file": str(base / remote.ca_file) if remote.ca_file else ""}
    for key in ("password", "bearer"):
        given = getattr(remote, key) or environment.get(f"SITEWARDEN_REMOTE_WRITE_{key.upper()}", "")
        found[key] = _kept_in("export.remote_write", key, getattr(remote, f"{key}_file"), base) or given
    return msgspec.structs.replace(remote, **found)


def _kept_in(table: str, key: str, name: str, base: Path) -> str:
    """The secret in the file called `name`; empty where none is named."""
    try:
        return (base / name).read_text(encoding="utf-8").strip() if name else ""
    except OSError as error:
        raise ConfigError(f"{table}.{key}_file: {base / name} cannot be read ({error.strerror})") from error


def _beside(console: Console, base: Path) -> Console:
    """The console's files as absolute paths. Raises ConfigError where one of the two is missing."""
    if bool(console.certificate_file) != bool(console.key_file):
        raise ConfigError("console: give certificate_file and key_file, or neither")
    if not console.certificate_file:
        return console
    certificate, key = str(base / console.certificate_file), str(base / console.key_file)
    return msgspec.structs.replace(console, certificate_file=certificate, key_file=key)


def _refuse_unknown(raw: Any, kind: Any, name: str, place: str) -> None:
    """Refuse keys that `kind` does not have, before msgspec does it without a hint."""
    if not isinstance(raw, dict):
        return
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in raw.items():
        here = f"{place}{key}"
        if key not in fields:
            raise ConfigError(f"{name}: unknown key {here!r}{_did_you_mean(key, fields)}")
        for inner, child, where in _children(fields[key], value, here):
            _refuse_unknown(child, inner, name, f"{where}.")


def _children(kind: Any, value: Any, here: str) -> list[tuple[Any, Any, str]]:
    """The tables inside a value, each with what it should be and where it stands."""
    if isinstance(kind, type) and issubclass(kind, Table):
        return [(kind, value, here)]
    arguments = [a for a in getattr(kind, "__args__", ()) if isinstance(a, type) and issubclass(a, Table)]
    if arguments and isinstance(value, list):
        return [(arguments[0], item, here) for item in value]
    if arguments and isinstance(value, dict):
        return [(arguments[0], item, f"{here}.{name}") for name, item in value.items()]
    return []


def _did_you_mean(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(sorted(known)) or 'nothing'}"


def _place(message: str) -> str:
    text, _, path = message.partition(" - at ")
    return f"{path.strip('`').removeprefix('$.')}: {text}" if path else text
