"""Files that people write: configurations, rule packs, recorded observations."""

from __future__ import annotations

from pathlib import Path

from sitewarden_agent import config as agent_config
from sitewarden_agent.config import remote
from sitewarden_agent.config.allowed import inside
from sitewarden_agent.errors import ConfigError as AgentConfigError
from sitewarden_alerting import recorded, rulefile
from sitewarden_collector import config as collector_config
from sitewarden_collector.errors import ConfigError
from tests.fuzz.run import Target, must

ROOT = Path(__file__).parents[3]


def _texts(*patterns: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for pattern in patterns for path in sorted(ROOT.glob(pattern)))


AGENT = (
    *_texts("deploy/agent/agent.example.toml"),
    b'state_dir = "/var/lib/x"\n[[logs]]\nname = "app"\npaths = ["/var/log/app/*.log"]\nmin_severity = "error"\n'
    b'[[probes]]\nname = "web"\nkind = "http"\nurl = "http://localhost:8080/health"\nexpect_status = [200]\n'
    b'[[health.folders]]\nname = "data"\npath = "/data"\nlimit_bytes = 1000000\n[redact]\nliterals = ["Globex"]\n',
)
COLLECTOR = (
    *_texts("deploy/collector/collector.example.toml"),
    b'[listen]\nstreams = "0.0.0.0:7443"\n[[on_call]]\nname = "ada"\nchannels = ["phone"]\n[channels.phone]\n'
    b'url = "log:"\n[[watch_levels]]\nseries = "cpu_used_ratio"\nabove = 0.9\n[limits]\ncredits = 8\n',
)
RULES = _texts("alerting/sitewarden_alerting/packs/*.toml")
RECORDED = (
    b'{"kind":"log","at":"2026-11-23T15:02:11Z","site":"acme-1","severity":"error","message":"no stock"}\n',
    b'# a comment\n{"kind":"tick","at":"2026-11-23T15:03:11Z"}\n',
)


def read_agent(data: bytes) -> str:
    try:
        agent_config.parse(data.decode("utf-8", "replace"), Path("/etc/agent.toml"))
    except AgentConfigError as error:
        must("agent.toml" in str(error), "a complaint that names no place")
        return "complaint"
    return "taken"


LOCAL = agent_config.parse(
    'state_dir = "/var/lib/x"\n[[logs]]\nname = "app"\npaths = ["/var/log/app/*.log"]\n[[probes]]\nname = "web"\n'
    'kind = "http"\nurl = "http://localhost:8080/health"\n[redact]\nliterals = ["Globex"]\n[remote_config]\n'
    'allow = ["health.interval:1", "logs.min_severity", "logs.paths:/opt/app/**", "logs.exclude", "logs.off",'
    ' "probes.interval:5", "probes.timeout", "probes.failures_needed", "probes.off", "redact.literals"]\n',
    Path("/etc/agent.toml"),
)
FROM_HEADQUARTERS = (
    b'[health]\ninterval_s = 20.0\n[[logs]]\nname = "app"\nmin_severity = "error"\nexclude = ["x*"]\n',
    b'[[logs]]\nname = "new"\npaths = ["/opt/app/logs/**/*.log"]\nmin_severity = "warning"\n',
    b'[[probes]]\nname = "web"\ninterval_s = 30.0\ntimeout_s = 1.0\noff = false\n[redact]\nliterals = ["Initech"]\n',
)


def read_from_headquarters(data: bytes) -> str:
    """Whatever headquarters sends, in whosever hands: it widens nothing."""
    document = remote.read(data.decode("utf-8", "surrogateescape"))
    merged = document if isinstance(document, tuple) else remote.merge(LOCAL, document)
    if isinstance(merged, tuple):
        must(bool(merged) and all(each.why for each in merged), "refused without a reason")
        return "refused"
    for log in merged.logs:
        must(all(inside(path, ("/var/log/app/*.log", "/opt/app/**")) for path in log.paths), f"it reads {log.paths}")
        must(log.min_severity in ("warning", "error", "critical"), "it sends more")
    for probe in merged.probes:
        must(getattr(probe, "url", "") == "http://localhost:8080/health", "it looks elsewhere")
        must(probe.interval_s >= 5, "it looks too often")
    must(merged.health.interval_s >= 1 and "Globex" in merged.redact.literals, "it samples too often, or redacts less")
    must(merged.state_dir == LOCAL.state_dir and merged.link == LOCAL.link, "it goes elsewhere")
    return "taken" if merged != LOCAL else "nothing in it"


def read_collector(data: bytes) -> str:
    try:
        collector_config.parse(data.decode("utf-8", "replace"), "collector.toml")
    except ConfigError as error:
        must("collector.toml" in str(error), "a complaint that names no place")
        return "complaint"
    return "taken"


def read_rules(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    try:
        pack = rulefile.parse(text, "rules.toml")
    except rulefile.Complaints as error:
        last = text.count("\n") + 1
        must(bool(error.complaints), "refused without a complaint")
        must(all(1 <= complaint.line <= last for complaint in error.complaints), "a line that is not there")
        return f"{min(len(error.complaints), 5)} complaints"
    rulefile.combine([pack])
    return "taken"


def read_recorded(data: bytes) -> str:
    try:
        found = list(recorded.read(data.decode("utf-8", "replace").split("\n"), "recorded.jsonl"))
    except recorded.BadRecording as error:
        must(str(error).startswith("recorded.jsonl:"), "a complaint that names no place")
        return "complaint"
    return f"{min(len(found), 5)} read"


TARGETS = (
    Target("agent's configuration", AGENT, read_agent),
    Target("configuration from headquarters", FROM_HEADQUARTERS, read_from_headquarters),
    Target("collector's configuration", COLLECTOR, read_collector),
    Target("rule file", RULES or (b'[[rules]]\nname = "x"\n',), read_rules),
    Target("recorded observations", RECORDED, read_recorded),
)
