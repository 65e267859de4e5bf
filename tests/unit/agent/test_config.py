"""The configuration: what is wrong is said with file, line and key; the example knows every key."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
import typing
from pathlib import Path

import msgspec.structs
import pytest

from sitewarden_agent import config
from sitewarden_agent.config import Config, HttpProbe, probes, settings
from sitewarden_agent.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "deploy/agent/agent.example.toml"
PATH = Path("/etc/agent.toml")
PROBE = '[[probes]]\nname = "x"\n'
LOG = '[[logs]]\nname = "a"\npaths = ["/var/log/a.log"]\n'


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        config.parse(text, PATH)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LOG + LOG.replace('"a"', '"b"') + 'min_sevrity = "error"\n', "line 7: logs[1].min_sevrity: this key is not"),
        (LOG + 'min_sevrity = "error"\n', "did you mean 'min_severity'?"),
        (LOG + 'min_severity = "loud"\n', "line 4: logs[0].min_severity: not one of the possible values: 'loud'"),
        ("[health]\ninterval_s = 0\n", "line 2: health.interval_s: expected `float` >= 0.1"),
        ("[spool]\n\nmax_bytes = '3'\n", "line 3: spool.max_bytes: expected `int`, not `str`"),
        ("lnk = 3\n", "line 1: lnk: this key is not known; did you mean 'link'?"),
        ("state_dir = 'here'\n", "state_dir: must be an absolute path"),
        ('[[probes]]\nkind = "http"\nname = "x"\n', "probes[0]: the key `url` is missing here"),
        ('[[probes]]\nkind = "http"\nname = "x"\nurl = "ftp://x"\n', "must be like http://localhost:8080/health"),
        ('[[probes]]\nkind = "tcp"\nname = "x"\naddress = "x"\n', "must be like host:port"),
        ('[[probes]]\nkind = "ping"\nname = "x"\n', "probes[0].kind: invalid value 'ping'"),
        (
            PROBE + 'kind = "http"\nurl = "http://x"\nexpect_pattern = "("\n',
            "expect_pattern is not a regular expression",
        ),
        (PROBE + 'kind = "http"\nurl = "http://x"\nexpect_json = {"a..b" = 1}\n', "must be steps with dots"),
        (PROBE + 'kind = "http"\nurl = "http://x:99999"\n', "url has a port that is none"),
        (PROBE + 'kind = "unit"\nunit = "x"\n', "probes[0].unit"),
        (PROBE + 'kind = "file"\npath = "x"\nmax_age_h = 1\n', "path must be an absolute path, not 'x'"),
        (PROBE + 'kind = "sql"\nengine = "oracle"\nuser = "x"\n', "probes[0].engine"),
        (PROBE + 'kind = "sql"\nengine = "mysql"\nuser = "x"\npassword = "x"\n', "did you mean 'password_file'?"),
        (PROBE + 'kind = "sql"\nengine = "mysql"\nuser = "x"\nhost = "mysql://x"\n', "host must be a name"),
        (PROBE + 'kind = "command"\ncommand = "check_disk"\n', "probes[0].command: expected a list"),
        (PROBE + 'kind = "command"\ncommand = ["check_disk"]\n', "command must be an absolute path, not 'check_disk'"),
        (PROBE + 'kind = "command"\ncommand = ["/x"]\nports = [0]\n', "probes[0].ports[0]"),
        (PROBE + 'kind = "prometheus"\nurl = "http://x/metrics"\nseries = []\n', "probes[0].series"),
        (PROBE + 'kind = "prometheus"\nurl = "http://x/metrics"\nseries = ["a{b=1}"]\n', "probes[0].series[0]"),
        ("[[health.folders]]\nname = 'x'\npath = '/x'\nlimit = 1\n", "line 4: health.folders[0].limit"),
        (LOG.replace("/var/log", "log"), "paths must be absolute"),
        (LOG + 'zone = "Mars/Base"\n', "zone 'Mars/Base' is not known"),
        (LOG + LOG, "logs has the name 'a' twice"),
        ("[link]\nproxy = 'socks5://x'\n", "must be a URL like http://proxy"),
        ("[redact]\nliterals = ['ab']\n", "redact.literals[0]"),
        ("x = [\n", "this is not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_its_remedy(text: str, said: str) -> None:
    message = complaint(text)
    assert said in message
    assert message.startswith("/etc/agent.toml")


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"copy agent\.example\.toml there"):
        config.load(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_a_complaint(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(tmp_path / "a.toml")


def test_an_empty_file_gives_the_defaults() -> None:
    assert config.parse("", PATH) == Config()


def keys_of(kind: object) -> set[str]:
    assert isinstance(kind, type)
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def test_the_example_can_be_used_and_has_every_key() -> None:
    text = EXAMPLE.read_text()
    example = config.load(EXAMPLE)
    # Keys that are commented out count as present, and must work when they are not.
    hidden = "journal_folder|proxy|literals_file|rules_file|latency_max_s|ca_file|port|password_file|at_least|at_most"
    shown = re.sub(rf"^# ({hidden}) =", r"\1 =", text, flags=re.M)
    raw = tomllib.loads(shown)
    config.parse(shown, PATH)
    assert set(raw) == keys_of(Config)
    assert set(raw["link"]) == keys_of(config.Link)
    assert set().union(*raw["logs"]) == keys_of(config.Log)
    assert set(raw["health"]) == keys_of(config.Health)
    assert set(raw["health"]["folders"][0]) == keys_of(config.Folder)
    assert set(raw["redact"]) == keys_of(config.Redact)
    assert set(raw["spool"]) == keys_of(config.Spool)
    for kind, probe in zip(typing.get_args(config.Probe), raw["probes"], strict=True):
        assert set(probe) == keys_of(kind) | {"kind"}
    assert {type(probe) for probe in example.probes} == set(typing.get_args(config.Probe))


def test_the_example_shows_the_defaults() -> None:
    example = config.load(EXAMPLE)
    for section in ("state_dir", "link", "redact", "spool"):
        assert getattr(example, section) == getattr(Config(), section)
    log, probe = example.logs[0], example.probes[0]
    assert log == config.Log(name=log.name, paths=log.paths)
    assert isinstance(probe, HttpProbe)
    assert probe == HttpProbe(name=probe.name, url=probe.url)


def test_every_setting_says_what_it_is_where_it_is_declared() -> None:
    body = [*ast.parse(inspect.getsource(settings)).body, *ast.parse(inspect.getsource(probes)).body]
    silent = []
    for kind in (node for node in body if isinstance(node, ast.ClassDef)):
        for field, after in zip(kind.body, [*kind.body[1:], None], strict=True):
            documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and not documented:
                silent.append(f"{kind.name}.{ast.unparse(field.target)}")
    assert silent == []


def test_numbers_carry_their_unit_in_their_name() -> None:
    units = ("_s", "_h", "_bytes", "_share", "_max", "_needed", "at_least", "_status")
    for kind in (config.Link, config.Health, config.Folder, config.Spool, *typing.get_args(config.Probe)):
        for field, hint in typing.get_type_hints(kind).items():
            if hint in (int, float):
                assert field.endswith(units), f"{kind.__name__}.{field}"
