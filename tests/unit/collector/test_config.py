"""The configuration says where it is wrong and what would be right, and the example knows every key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sitewarden_alerting.model import Policy
from sitewarden_collector import config as configuration
from sitewarden_collector.config import Config, Table
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services.policies import policy_of
from tests import cast

EXAMPLE = Path(__file__).parents[3] / "deploy" / "collector" / "collector.example.toml"


def _load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "collector.toml"
    path.write_text(text)
    return configuration.load(path, environment={})


def _keys(kind: type[Table]) -> set[str]:
    found = set()
    for field in msgspec.structs.fields(kind):
        inner = [field.type, *getattr(field.type, "__args__", ())]
        tables = [one for one in inner if isinstance(one, type) and issubclass(one, Table)]
        found |= {f"{field.name}.{key}" for one in tables for key in _keys(one)} or {field.name}
    return found


def _given(raw: Any, prefix: str = "") -> set[str]:
    found = set()
    for key, value in raw.items():
        items = value if isinstance(value, list) and value and isinstance(value[0], dict) else [value]
        for item in items:
            if isinstance(item, dict) and item:
                found |= _given(item, f"{prefix}{key}.")
            else:
                found.add(f"{prefix}{key}")
    return found


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    config = configuration.resolve(Config(), tmp_path, environment={})
    assert config.data_path == tmp_path / "sitewarden-data"
    assert config.database_url == f"sqlite:///{tmp_path}/sitewarden-data/collector.db"
    elsewhere = configuration.resolve(Config(), tmp_path, environment={"SITEWARDEN_DATA": "/srv/data"})
    assert elsewhere.data_path == Path("/srv/data")


def test_the_example_is_valid_and_knows_every_key(tmp_path: Path) -> None:
    (tmp_path / "mail.url").write_text("mailtos://secret@example.com\n")
    text = EXAMPLE.read_text()
    config = _load(tmp_path, text)
    assert config.channels["mail"].url == "mailtos://secret@example.com"
    names = {
        key.replace("channels.pager.", "channels.").replace("channels.mail.", "channels.")
        for key in _given(tomllib.loads(text))
    }
    assert names == _keys(Config)


def test_the_examples_values_are_the_defaults_where_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "mail.url").write_text("log://")
    config = _load(tmp_path, EXAMPLE.read_text())
    for table in ("database", "listen", "pki", "limits", "rules", "triage", "retention"):
        assert getattr(config, table) == getattr(Config(), table), table


def test_what_tickets_go_by_comes_from_the_configuration(tmp_path: Path) -> None:
    assert policy_of(Config()) == Policy()
    given = "page_severity = 'critical'\nreopen_days = 2.0\nrecovery_quiet_s = 60\nflap_count = 5\n"
    policy = policy_of(_load(tmp_path, f"[triage]\n{given}"))
    assert (policy.page_severity, policy.reopen_window_s, policy.quiet_s) == (5, 172_800.0, 60.0)
    assert policy.flap_count == 5


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = _load(tmp_path, 'data_dir = "data"\n[rules]\ndirs = ["mine", "/etc/rules"]\n')
    assert config.data_path == tmp_path / "data"
    assert config.rules.dirs == (str(tmp_path / "mine"), "/etc/rules")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[listen]\nstream = '0.0.0.0:1'", r"collector.toml: unknown key 'listen.stream'; did you mean 'streams'\?"),
        ("dta_dir = 'x'", r"unknown key 'dta_dir'; did you mean 'data_dir'\?"),
        ("[[on_call]]\nname = 'ada'\nchannel = ['x']", r"unknown key 'on_call.channel'; did you mean 'channels'\?"),
        ("[channels.pager]\nurls = 'log://'", r"unknown key 'channels.pager.urls'; did you mean 'url'\?"),
        ("[listen]\nhttp = '7480'", "listen.http: '7480' is not host:port"),
        ("[listen]\nhttp = 7480", "listen.http: Expected `str`, got `int`"),
        ("[limits]\ncredits = 0", "limits.credits is 0; it must be more than 0"),
        ("[limits]\ncredits = 'many'", "limits.credits: Expected `int`, got `str`"),
        ("[[on_call]]\nname = 'ada'\nchannels = ['paper']\n[channels.pager]\nurl = 'log://'", "no channel 'paper'"),
        ("[channels.pager]", "channels.pager: give exactly one of url and url_file"),
        ("[channels.pager]\nurl_file = 'gone'", "channels.pager.url_file: .*gone cannot be read"),
        ("[triage]\npage_severity = 'loud'", "page_severity cannot be 'loud'; known here: critical, error, warning"),
        ("[triage]\npage_severity = 4", "triage.page_severity: Expected `str`, got `int`"),
        ("[triage]\nreopen_days = 0", "triage.reopen_days is 0"),
        ("[[watch_levels]]\nseries = 'load_1m'", "give above, below, or both"),
        ("[advertise]\nnames = []", "advertise.names is empty"),
        ("[limits]\ncredits = x", r"is not TOML: .*line 2"),
        ("[limits]\nmax_batch_bytes = 5000000", "more than the 4194304 that the wire allows"),
    ],
)
def test_each_mistake_is_told_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        _load(tmp_path, text)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        configuration.load(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"data_dir = '\xe4'")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        configuration.load(tmp_path / "latin.toml")


def test_a_channels_url_is_not_shown_where_a_configuration_is_printed() -> None:
    config = Config(channels={"pager": configuration.Channel(url="slack://token")})
    assert cast.ADA not in repr(config)
    assert "token" not in repr(config)
