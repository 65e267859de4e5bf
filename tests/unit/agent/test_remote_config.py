"""What headquarters may configure: within what the local file allows, as a whole, and never more than that."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sitewarden_agent import config as configuration
from sitewarden_agent.config import Config, remote
from sitewarden_agent.config.allowed import SEVERITIES, Allowed, inside
from sitewarden_agent.errors import ConfigError

LOCAL = """
state_dir = "/var/lib/agent"
[[logs]]
name = "app"
paths = ["/opt/app/logs/*.log"]
exclude = ["secret*"]
min_severity = "warning"
[[logs]]
name = "audit"
paths = ["/opt/app/audit/*.log"]
min_severity = "error"
[health]
interval_s = 10.0
[[probes]]
name = "web"
kind = "http"
url = "http://localhost:8080/health"
interval_s = 15.0
timeout_s = 5.0
[[probes]]
name = "db"
kind = "tcp"
address = "localhost:5432"
[redact]
literals = ["Globex"]
pseudonyms = ["mail"]
[remote_config]
allow = [ALLOW]
"""
ALL = (
    "health.interval:2",
    "logs.min_severity",
    "logs.paths:/opt/app/**",
    "logs.exclude",
    "logs.off",
    "probes.interval:5",
    "probes.timeout",
    "probes.failures_needed",
    "probes.off",
    "redact.literals",
    "redact.extra_keys",
    "redact.pseudonyms",
)


def local(*allow: str) -> Config:
    entries = ", ".join(f'"{entry}"' for entry in allow)
    return configuration.parse(LOCAL.replace("ALLOW", entries), Path("/etc/agent.toml"))


def merged(text: str, *allow: str) -> Config:
    document = remote.read(text)
    assert isinstance(document, dict)
    found = remote.merge(local(*allow), document)
    assert isinstance(found, Config), found
    return found


def refused(text: str, *allow: str) -> list[str]:
    document = remote.read(text)
    found = document if isinstance(document, tuple) else remote.merge(local(*allow), document)
    assert isinstance(found, tuple), "it was taken"
    return [str(each) for each in found]


def test_an_empty_document_is_the_local_file() -> None:
    assert merged("") == local()


def test_nothing_may_be_set_unless_the_local_file_says_so() -> None:
    why = "; its administrator can add it to allow"
    asked = '[health]\ninterval_s = 60.0\n[[logs]]\nname = "app"\nmin_severity = "error"\n'
    assert refused(asked) == [
        "health.interval_s: the local file does not allow 'health.interval'" + why,
        "logs[0].min_severity: the local file does not allow 'logs.min_severity'" + why,
    ]


def test_what_is_allowed_changes_and_the_rest_stays() -> None:
    found = merged(
        '[health]\ninterval_s = 2\n[[logs]]\nname = "app"\nmin_severity = "critical"\nexclude = ["debug*"]\n'
        '[[probes]]\nname = "web"\ninterval_s = 5.0\ntimeout_s = 1.0\nfailures_needed = 4\n'
        '[[probes]]\nname = "db"\noff = true\n[redact]\nliterals = ["Initech", "Globex"]\npseudonyms = ["ip"]\n',
        *ALL,
    )
    assert found.health.interval_s == 2.0
    app, audit = found.logs
    assert (app.min_severity, app.exclude, app.paths) == (
        "critical",
        ("secret*", "debug*"),
        ("/opt/app/logs/*.log",),
    )
    assert audit == local().logs[1]
    (web,) = found.probes
    assert (web.name, web.interval_s, web.timeout_s, web.failures_needed) == ("web", 5.0, 1.0, 4)
    assert found.redact.literals == ("Globex", "Initech")
    assert found.redact.pseudonyms == ("mail", "ip")
    assert found.remote_config == local(*ALL).remote_config


def test_one_refused_key_refuses_the_whole() -> None:
    (why,) = refused('[health]\ninterval_s = 30.0\n[redact]\nliterals = ["x"]\n', *ALL)
    assert why.startswith("redact.literals: ")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ('state_dir = "/tmp"', "state_dir: headquarters may not set this"),
        ("[remote_config]\nallow = []", "remote_config: headquarters may not set this"),
        ("[health]\ninterval_s = 1.9", "allows from 2 to 3600 seconds"),
        ("[health]\ninterval_s = nan", "Expected `float` >= 0.1"),
        ("[health]\ninterval_s = inf", "allows from 2"),
        ("[health]\ninterval_s = true", "Expected `float`"),
        ("[health]\ndisks = []", "only health.interval_s"),
        ("health = 1", "must be a table"),
        ("logs = 1", "must be a list of tables"),
        ("logs = [1]", "must be a table with a name"),
        ('[[logs]]\nname = "app"\n[[logs]]\nname = "app"', "stands here twice"),
        ('[[logs]]\nname = "app"\nmin_severity = "info"', "the lowest that the local file allows here is warning"),
        ('[[logs]]\nname = "app"\nfrom = "start"', "may not set this of a log"),
        ('[[logs]]\nname = "app"\npaths = ["/etc/shadow"]', "does not lie within"),
        ('[[logs]]\nname = "app"\npaths = ["/opt/app/../../etc/shadow"]', "does not lie within"),
        ('[[logs]]\nname = "app"\npaths = []', "paths must name something"),
        ('[[logs]]\nname = "app"\npaths = ["/opt/app/x.log"]', "with further paths this must be set, to error"),
        ('[[logs]]\nname = "new"', "needs paths"),
        ('[[logs]]\nname = "app"\nstorm_per_minute = 21', "does not allow 'logs.storm'"),
        ('[[logs]]\nname = "app"\nkeep = ["x"]', "does not allow 'logs.keep'"),
        ('[[logs]]\nname = "app"\njournal = true', "may not set this of a log"),
        ('[[logs]]\nname = "new"\npaths = ["/opt/app/x.log"]\nmin_severity = "warning"', "allows here is error"),
        ('[[probes]]\nname = "new"\nkind = "tcp"\naddress = "localhost:22"', "none can be added"),
        ('[[probes]]\nname = "db"\naddress = "localhost:22"', "may not set this of a probe"),
        ('[[probes]]\nname = "db"\ninterval_s = 4.0', "allows from 5"),
        ('[[probes]]\nname = "db"\noff = 1', "must be true or false"),
        ('[redact]\nliterals_file = "/etc/x"', "only literals, extra_keys, pseudonyms"),
        ('[redact]\npseudonyms = ["all"]', "Invalid enum value"),
        ("x = [", "not valid TOML"),
        ("x = " + "[" * 5_000, "not valid TOML"),
        ("# " + "x" * 65_536, "more than 65536 bytes"),
    ],
)
def test_what_would_widen_or_is_wrong_is_refused_and_says_why(asked: str, why: str) -> None:
    assert any(why in said for said in refused(asked, *ALL)), refused(asked, *ALL)


def test_a_new_log_lies_within_the_pattern_and_keeps_to_what_every_local_log_keeps_to() -> None:
    found = merged('[[logs]]\nname = "new"\npaths = ["/opt/app/new/*.log"]\n', *ALL)
    assert (found.logs[2].min_severity, found.logs[2].paths) == ("error", ("/opt/app/new/*.log",))
    assert "secret*" in found.logs[2].exclude
    assert refused('[[logs]]\nname = "new"\npaths = ["/opt/app/new/*.log"]\n', "logs.paths")[0].endswith("in allow")


def test_storms_only_become_calmer_unless_a_bound_lets_them_be_louder() -> None:
    asked = '[[logs]]\nname = "app"\nstorm_per_minute = '
    assert merged(f"{asked}5", "logs.storm").logs[0].storm_per_minute == 5
    assert merged(f"{asked}50", "logs.storm:60").logs[0].storm_per_minute == 50
    assert merged(f"{asked}0", "logs.storm:0").logs[0].storm_per_minute == 0
    for allow in ("logs.storm", "logs.storm:60"):
        assert "a minute" in refused(f"{asked}0", allow)[0]
        assert "a minute" in refused(f"{asked}61", allow)[0]


def test_what_a_log_keeps_grows_only_by_patterns_that_the_local_file_could_have() -> None:
    asked = '[[logs]]\nname = "app"\nkeep = '
    assert merged(f'{asked}["deadlock"]', "logs.keep").logs[0].keep == ("deadlock",)
    assert "keep" in refused(f'{asked}["("]', "logs.keep")[0]
    assert "keep" in refused(f'{asked}[".*"]', "logs.keep")[0]


def test_a_journal_gets_no_paths() -> None:
    text = LOCAL.replace("ALLOW", '"logs.paths:/opt/**"').replace('paths = ["/opt/app/audit/*.log"]', "journal = true")
    mine = configuration.parse(text, Path("/etc/agent.toml"))
    document = remote.read('[[logs]]\nname = "audit"\npaths = ["/opt/a"]\nmin_severity = "error"\n')
    assert isinstance(document, dict)
    found = remote.merge(mine, document)
    assert isinstance(found, tuple)
    assert "journal" in found[0].why


def test_without_a_pattern_paths_only_become_fewer() -> None:
    fewer = '[[logs]]\nname = "app"\npaths = ["/opt/app/logs/web-*.log"]'
    assert merged(fewer, "logs.paths").logs[0].paths == ("/opt/app/logs/web-*.log",)
    assert "does not lie within" in refused(fewer.replace("logs/", ""), "logs.paths")[0]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("health.intervall", "allow knows no 'health.intervall'"),
        ("health.interval:fast", "stand seconds"),
        ("health.interval:nan", "stand seconds"),
        ("logs.min_severity:loud", "one of debug"),
        ("logs.paths:opt/app", "an absolute path"),
        ("logs.paths:/opt/../etc/*", "an absolute path"),
        ("probes.off:web", "takes nothing after it"),
    ],
)
def test_a_wrong_entry_of_allow_is_a_complaint(entry: str, why: str) -> None:
    with pytest.raises(ConfigError, match=r"/etc/agent\.toml") as found:
        local(entry)
    assert why in str(found.value)


@pytest.mark.parametrize(
    ("pattern", "limit", "lies"),
    [
        ("/a/b.log", "/a/*", True),
        ("/a/b/c.log", "/a/*", False),
        ("/a/b/c.log", "/a/**", True),
        ("/a/**/c.log", "/a/**", True),
        ("/a/**", "/a/*", False),
        ("/a/**/b", "/a/**/b", True),
        ("/a/*/b", "/a/**/b", True),
        ("/a/b", "/a/**/b", True),
        ("/a/web-*.log", "/a/*.log", True),
        ("/a/web-[0-9].log", "/a/web-*.log", True),
        ("/a/*", "/a/*.log", False),
        ("/a/*.log", "/a/web*.log", False),
        ("/a/[ab].log", "/a/[abc].log", False),  # true, but nobody proves it
        ("/a/a.log", "/a/[abc].log", True),
        ("/a/../b", "/a/**", False),
        ("/a//b", "/a/**", False),
        ("/a/./b", "/a/**", False),
        ("a/b", "/**", False),
        ("/a/b\x00", "/a/*", False),
        ("/x/a", "/a/**", False),
    ],
)
def test_a_pattern_lies_within_another(pattern: str, limit: str, lies: bool) -> None:
    assert inside(pattern, [limit]) is lies


def matches(pattern: list[str], steps: list[str]) -> bool:
    """What a pattern names, said as simply as can be: the measure for `inside`."""
    if not pattern:
        return not steps
    if pattern[0] == "**":
        return any(matches(pattern[1:], steps[place:]) for place in range(len(steps) + 1))
    return bool(steps) and fnmatch.fnmatchcase(steps[0], pattern[0]) and matches(pattern[1:], steps[1:])


STEP = st.sampled_from(["a", "b", "ab", "aab", "*", "**", "a*", "*b", "a*b", "?", "[ab]", "[!a]b", "*[a", "a]"])
PLAIN = st.sampled_from(["a", "b", "ab", "aab", "ba", "abab", "c", "[a", "a]", "aabb"])


@settings(max_examples=400, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=4), st.lists(STEP, min_size=1, max_size=4), st.data())
def test_what_lies_within_names_nothing_else(pattern: list[str], limit: list[str], data: st.DataObject) -> None:
    if inside("/" + "/".join(pattern), ["/" + "/".join(limit)]):
        for _ in range(20):
            steps = data.draw(st.lists(PLAIN, min_size=1, max_size=4))
            assert not matches(pattern, steps) or matches(limit, steps)


# The attacker's view: any document at all.

PATHS = ["/opt/app/logs/a.log", "/opt/app/logs/secret.log", "/opt/app/audit/a.log", "/opt/app/x/y.log", "/etc/shadow"]
VALUES = st.none() | st.booleans() | st.integers(-5, 5_000) | st.floats() | st.text(max_size=5)
INSIDE = ["/opt/app/**", "/opt/app/x/*.log", "/opt/app/logs/a*.log", "/opt/app/audit/*.log", "/opt/app/logs/*.log"]
OUTSIDE = ["/etc/shadow", "/**", "/opt/**", "/opt/app/../x"]
WORDS = st.lists(st.sampled_from(["secret*", "a.log", "abc", "xyz"]), max_size=2)
SECONDS = st.sampled_from([2.0, 5.0, 7.5, 10, 15.0, 60.0, 60.0, 60.0, 0.05, 5_000.0])
LOG = {
    "paths": st.lists(st.sampled_from(INSIDE * 3 + OUTSIDE), min_size=1, max_size=2),
    "exclude": WORDS,
    "min_severity": st.sampled_from([*SEVERITIES, "error", "error", "critical"]),
    "off": st.booleans(),
    "keep": st.lists(st.sampled_from(["panic", "deadlock"]), max_size=2),
    "storm_per_minute": st.sampled_from([0, 1, 10, 20, 30, 500]),
}
PROBE = {
    "interval_s": SECONDS,
    "timeout_s": SECONDS,
    "failures_needed": st.integers(0, 50),
    "off": st.booleans(),
}
REDACT = {"literals": WORDS, "extra_keys": WORDS, "pseudonyms": st.lists(st.sampled_from(["mail", "ip"]), max_size=2)}
NEVER = [
    "journal_folder",
    "units",
    "from",
    "format",
    "zone",
    "kind",
    "url",
    "address",
    "literals_file",
    "disks",
    "command",
    "journal",
    "verify",
]


def tables(fields: dict[str, st.SearchStrategy[Any]], **always: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what is known there; now and then what is not, or a value of another kind."""
    good = st.fixed_dictionaries(dict(always), optional=fields)
    wrong = st.dictionaries(st.sampled_from([*fields, *NEVER]), VALUES, min_size=1, max_size=2)
    return st.integers(0, 9).flatmap(lambda dice: st.builds(lambda a, b: {**a, **b}, good, wrong) if not dice else good)


def _name(table: dict[str, Any]) -> str:
    return str(table["name"])


LOGS = st.lists(tables(LOG, name=st.sampled_from(["app", "audit", "new"])), max_size=2, unique_by=_name)
PROBES = st.lists(tables(PROBE, name=st.sampled_from(["web", "db"])), max_size=2, unique_by=_name)
DOCUMENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={"health": tables({"interval_s": SECONDS}), "redact": tables(REDACT), "logs": LOGS, "probes": PROBES},
)
# One log alone, which is where most can be widened.
DOCUMENTS |= st.builds(
    lambda log, name: {"logs": [{"name": name, **log}]}, tables(LOG), st.sampled_from(["app", "new"])
)
MORE = ["logs.paths", "logs.min_severity:info", "logs.keep", "logs.storm"]
ALLOW = st.sets(st.sampled_from([*ALL, *MORE])) | st.sets(st.sampled_from(MORE)).map(lambda more: more | set(ALL))


def named(config: Config, path: str) -> list[Any]:
    """The logs that read `path`."""
    return [
        log
        for log in config.logs
        if any(matches(pattern.split("/"), path.split("/")) for pattern in log.paths)
        and not any(
            fnmatch.fnmatchcase(path, each) or fnmatch.fnmatchcase(path.split("/")[-1], each) for each in log.exclude
        )
    ]


def lowest(config: Config, path: str) -> int:
    """From which severity up records of that file are sent; past the last when it is not read."""
    return min((SEVERITIES.index(log.min_severity) for log in named(config, path)), default=len(SEVERITIES))


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS, ALLOW)
def test_no_document_makes_the_agent_read_connect_start_or_send_more_than_the_local_file_allows(
    document: dict[str, Any], allow: set[str]
) -> None:
    mine = local(*sorted(allow))
    found = remote.merge(mine, document)
    if not isinstance(found, Config):
        assert found
        return
    event("taken" if found != mine else "nothing in it")
    granted = Allowed(allow)
    floor = SEVERITIES.index(granted.lowest("logs.min_severity", "error"))
    for path in PATHS:
        before, after = lowest(mine, path), lowest(found, path)
        if "logs.min_severity:info" in allow and before < len(SEVERITIES):
            before = min(before, SEVERITIES.index("info"))
        further = inside(path, granted.paths()) and not path.endswith("secret.log")
        assert after >= (min(before, floor) if further else before), path
    before_by_name = {log.name: log for log in mine.logs}
    for log in found.logs:
        kept = before_by_name[log.name].keep if log.name in before_by_name else ()
        assert log.keep == kept or "logs.keep" in allow
        assert 1 <= log.storm_per_minute <= 20
        assert not log.journal
    by_name = {probe.name: probe for probe in mine.probes}
    for probe in found.probes:
        was = by_name[probe.name]
        assert (type(probe), getattr(probe, "url", ""), getattr(probe, "address", "")) == (
            type(was),
            getattr(was, "url", ""),
            getattr(was, "address", ""),
        )
        assert 5.0 <= probe.interval_s <= 3_600
        assert 0 < probe.timeout_s <= was.timeout_s
    assert found.health.interval_s >= (2.0 if "health.interval:2" in allow else 10.0)
    assert found.health.disks == mine.health.disks
    assert set(found.redact.literals) >= set(mine.redact.literals)
    assert set(found.redact.pseudonyms) >= set(mine.redact.pseudonyms)
    same = ("state_dir", "link", "spool", "deadman", "remote_config")
    assert all(getattr(found, each) == getattr(mine, each) for each in same)
    if not allow:
        assert found == mine
