"""What watches the collector reads what the collector shows: rules and dashboard name series that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.integration.host import configured, headquarters

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES = MONITORING / "sitewarden.rules.yml"
AT = "50m"
NAME = re.compile(r"\b(sitewarden_[a-z0-9_]+|process_[a-z0-9_]+)\b")


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((MONITORING / "sitewarden.dashboard.json").read_text())["panels"]
    return found


async def test_every_series_that_is_watched_is_shown_by_a_running_collector(tmp_path: Path) -> None:
    async with headquarters(configured(tmp_path)) as collector, httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{collector.http_port}/metrics")
    shown = answer.text
    families = set(re.findall(r"(?m)^# TYPE (\S+)", shown))
    asked = [rule["expr"] for rule in _rules()] + [target["expr"] for panel in _panels() for target in panel["targets"]]
    named = {name for expression in asked for name in NAME.findall(expression)}
    ends = re.compile(r"_(total|bucket|sum|count)$")
    missing = {name for name in named if name not in families and ends.sub("", name) not in families}
    assert len(named) > 10
    assert missing == set()


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in _rules():
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        assert rule["annotations"]["action"], rule["alert"]


def test_the_panels_lie_beside_each_other() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in _panels()}
    assert len(places) == len(_panels()) == len({panel["id"] for panel in _panels()})


def test_prometheus_reads_the_rules_and_the_example(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs: promtool (Debian: prometheus)")
    for argv in (["check", "rules", str(RULES)], ["check", "config", str(MONITORING / "prometheus.example.yml")]):
        done = subprocess.run([promtool, *argv], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs: promtool (Debian: prometheus)")
    cases = {
        "SitewardenDown": ('up{job="sitewarden", instance="a"}', "0x60"),
        "SitewardenEvaluationLags": ("sitewarden_evaluation_lag_seconds", "300x60"),
        "SitewardenNoticesParked": ('sitewarden_notices{state="parked"}', "2x60"),
        "SitewardenRulesSuspended": ("sitewarden_rules_suspended", "1x60"),
        "SitewardenSamplesUnjoined": ("sitewarden_samples_unjoined_seconds", "30000x60"),
        "SitewardenAgentsSentAway": ('sitewarden_connects_total{how="later"}', "0+20x60"),
        "SitewardenDiskFull": ("sitewarden_free_bytes", "1000000000x60"),
        "SitewardenAuthorityEnds": ("sitewarden_authority_days", "100x60"),
        "SitewardenExportLags": ("sitewarden_export_lag_seconds", "1200x60"),
        "SitewardenExportGivesUp": ('sitewarden_export_samples{result="refused"}', "0+5x60"),
    }
    tests = []
    for alert, (series, values) in cases.items():
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": values}],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                        "eval_time": AT,
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    },
                    {"expr": "count(ALERTS) > 1", "eval_time": AT, "exp_samples": []},
                ],
            }
        )
    file = tmp_path / "alerts.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(
        [promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
