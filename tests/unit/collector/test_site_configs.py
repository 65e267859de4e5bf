"""Versions of agents' configuration: which counts, who is asked, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from sitewarden_alerting.observations import Outcome
from sitewarden_collector.errors import Conflict, Invalid, NotFound
from sitewarden_collector.services import actions as acting
from sitewarden_collector.services import site_configs
from sitewarden_collector.services.site_configs import Standing
from sitewarden_collector.store import actions, agents
from sitewarden_collector.store.actions import Action
from sitewarden_collector.store.agents import Agent
from sitewarden_collector.store.engine import Database
from sitewarden_collector.store.site_configs import SiteConfig
from tests.cast import ACME, ACME_BERLIN, ADA, DAY, GLOBEX, GLOBEX_OSAKA, HOUR, NOON, settle_agent, settle_site

SLOW = "[health]\ninterval_s = 60.0\n"
SLOWER = "[health]\ninterval_s = 120.0\n"


def able(tx: Connection, /, hostname: str = "web-1", site: str = ACME_BERLIN, customer: str = ACME) -> Agent:
    return settle_agent(tx, hostname, site, customer, capabilities="notice site_config")


def configure(tx: Connection, /, document: str, now_ns: int = NOON, **whose: str) -> SiteConfig:
    what = site_configs.scope(tx, **whose)
    return site_configs.configure(tx, what, document, author=ADA, now_ns=now_ns)


def clear(tx: Connection, /, **whose: str) -> SiteConfig:
    return site_configs.clear(tx, site_configs.scope(tx, **whose), author=ADA, now_ns=NOON)


def asked(db: Database, agent: Agent) -> list[Action]:
    return db.read_now(actions.open_of, agent.id)


def outcome(db: Database, action: Action, state: Any, detail: str = "") -> None:
    db.write_now(acting.apply_outcome, action.agent_id, Outcome(action.id, state, detail), now_ns=NOON + HOUR)


def stands(db: Database, agent: Agent) -> Standing:
    return next(one for one in db.read_now(site_configs.standing, agent.site_id) if one.agent.id == agent.id)


def test_a_version_goes_to_every_agent_that_it_is_for_and_to_no_other(db: Database) -> None:
    web, other = db.write_now(able), db.write_now(able, "app-1", GLOBEX_OSAKA, GLOBEX)
    old = db.write_now(settle_agent, "db-1")
    assert stands(db, web).state == "none"
    made = db.write_now(configure, SLOW, customer=ACME)
    assert (made.version, made.scope, made.author) == (1, "customer", ADA)
    (action,) = asked(db, web)
    assert (action.kind, action.expires_ns > NOON) == ("config", True)
    assert asked(db, other) == asked(db, old) == []
    assert (stands(db, web).state, stands(db, old).state, stands(db, other).state) == ("queued", "unsupported", "none")


def test_what_is_for_fewer_counts_more_until_it_is_cleared(db: Database) -> None:
    web, app = db.write_now(able), db.write_now(able, "app-1")
    db.write_now(configure, SLOW, site=ACME_BERLIN)
    mine = db.write_now(configure, SLOWER, agent=web.id)
    assert stands(db, web).wanted == mine
    site = db.write_now(configure, "", site=ACME_BERLIN)
    assert (stands(db, web).wanted, stands(db, app).wanted) == (mine, site)
    assert len(asked(db, web)) == 1, "what counts for it did not change"
    cleared = db.write_now(clear, agent=web.id)
    assert cleared.version == 2
    assert stands(db, web).wanted == site
    assert len(asked(db, web)) == 1


def test_the_newest_takes_the_place_of_what_is_on_its_way(db: Database) -> None:
    web = db.write_now(able)
    db.write_now(configure, SLOW, site=ACME_BERLIN)
    (first,) = asked(db, web)
    db.write_now(configure, SLOWER, site=ACME_BERLIN)
    (second,) = asked(db, web)
    assert second.id != first.id
    outcome(db, first, "expired")
    assert stands(db, web).state == "queued"


def test_its_course_is_written_down_and_never_goes_back(db: Database) -> None:
    web = db.write_now(able)
    db.write_now(configure, SLOW, site=ACME_BERLIN)
    (action,) = asked(db, web)
    for state, shown in (("received", "received"), ("applying", "applying"), ("done", "applied")):
        outcome(db, action, state)
        assert stands(db, web).state == shown
    outcome(db, action, "received")
    assert stands(db, web).state == "applied"
    assert asked(db, web) == []
    outcome(db, action, "refused", "not applied any more")
    assert (stands(db, web).state, stands(db, web).detail) == ("refused", "not applied any more")


def test_an_agent_says_nothing_of_anothers_configuration(db: Database) -> None:
    web, app = db.write_now(able), db.write_now(able, "app-1")
    db.write_now(configure, SLOW, site=ACME_BERLIN)
    (action,) = asked(db, web)
    db.write_now(acting.apply_outcome, app.id, Outcome(action.id, "done", ""), now_ns=NOON)
    assert (stands(db, web).state, stands(db, app).state) == ("queued", "queued")


def test_an_agent_that_comes_later_is_asked_and_one_that_was_asked_in_vain_again(db: Database) -> None:
    db.write_now(settle_site)
    db.write_now(configure, SLOW, site=ACME_BERLIN)
    web = db.write_now(able)
    assert db.read_now(site_configs.is_due, web.id)
    assert db.write_now(site_configs.bring_up, web.id, now_ns=NOON)
    assert not db.read_now(site_configs.is_due, web.id)
    assert not db.write_now(site_configs.bring_up, web.id, now_ns=NOON)
    db.write_now(actions.expire, now_ns=NOON + 40 * DAY)
    assert db.read_now(site_configs.is_due, web.id)


def test_a_clear_one_is_brought_to_those_that_ran_something_and_to_no_other(db: Database) -> None:
    web = db.write_now(able)
    db.write_now(configure, SLOW, site=ACME_BERLIN)
    db.write_now(clear, site=ACME_BERLIN)
    (action,) = asked(db, web)
    assert action.payload == '{"version":2,"document":""}'
    app = db.write_now(able, "app-1")
    assert not db.read_now(site_configs.is_due, app.id)
    assert stands(db, app).state == "none"


def test_back_to_an_earlier_version_is_a_new_version(db: Database) -> None:
    db.write_now(able)
    db.write_now(configure, SLOW, site=ACME_BERLIN)
    db.write_now(configure, SLOWER, site=ACME_BERLIN)

    def back(tx: Connection) -> SiteConfig:
        what = site_configs.scope(tx, site=ACME_BERLIN)
        return site_configs.roll_back(tx, what, 1, author=ADA, now_ns=NOON)

    made = db.write_now(back)
    assert (made.version, made.document, made.note) == (3, SLOW, "back to version 1")
    view = db.read_now(site_configs.of_site, ACME_BERLIN)
    assert [(one.version, changed) for one, changed in view.versions] == [
        (3, "@@ -1,2 +1,2 @@\n [health]\n-interval_s = 120.0\n+interval_s = 60.0"),
        (2, "@@ -1,2 +1,2 @@\n [health]\n-interval_s = 60.0\n+interval_s = 120.0"),
        (1, "@@ -0,0 +1,2 @@\n+[health]\n+interval_s = 60.0"),
    ]


def test_what_cannot_be_one_is_refused_with_what_to_do(db: Database) -> None:
    db.write_now(able)
    with pytest.raises(Invalid, match="not valid TOML"):
        db.write_now(configure, "x = [", site=ACME_BERLIN)
    with pytest.raises(Invalid, match="at most 65536 bytes"):
        db.write_now(configure, "# " + "\u00e4" * 40_000, site=ACME_BERLIN)
    with pytest.raises(Invalid, match="name exactly one"):
        db.write_now(configure, SLOW, site=ACME_BERLIN, customer=ACME)
    with pytest.raises(NotFound):
        db.write_now(configure, SLOW, site="nowhere")
    db.write_now(configure, SLOW, site=ACME_BERLIN)
    with pytest.raises(Conflict, match="exactly this already"):
        db.write_now(configure, SLOW, site=ACME_BERLIN)
    with pytest.raises(Conflict):
        db.write_now(clear, customer=ACME)


def test_revoked_agents_are_asked_for_nothing(db: Database) -> None:
    web = db.write_now(able)
    db.write_now(agents.set_state, web.id, "revoked", why="gone")
    db.write_now(configure, SLOW, site=ACME_BERLIN)
    assert asked(db, web) == []


def test_the_commands_set_show_list_and_go_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from sitewarden_collector.cli import main

    collector = tmp_path / "collector.toml"
    collector.write_text(f'data_dir = "{tmp_path}"\n')
    document = tmp_path / "slow.toml"
    document.write_text(SLOW)

    def run(*words: str) -> str:
        assert main([*words, "--config", str(collector)]) == 0
        return capsys.readouterr().out

    run("customer", "add", ACME)
    said = run("config", "set", str(document), "--customer", ACME, "--note", "less often")
    assert "version 1 for customer acme is on its way" in said
    assert "+interval_s = 60.0" in said
    document.write_text(SLOWER)
    run("config", "set", str(document), "--customer", ACME)
    assert run("config", "show", "--customer", ACME, "--version", "1") == SLOW
    run("config", "rollback", "1", "--customer", ACME)
    listed = run("config", "history", "--customer", ACME)
    assert listed.count("version ") == 4  # and one in a note
    assert "less often" in listed
    assert '"inherits": true' in run("config", "clear", "--customer", ACME, "--json")
    assert run("config", "status") == "no agents yet\n"
    assert "config set" in run("audit", "list")
