"""The part of `sitewarden oncall` about people: how they are reached, when they are away, and a test page."""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

from sitewarden_collector.cli import _common
from sitewarden_collector.cli._times import clock, instant_ns, minute_of
from sitewarden_collector.errors import ConfigError, NotFound
from sitewarden_collector.services import oncall, roster, shift_calendars
from sitewarden_collector.services.notifying import people as listed_people
from sitewarden_collector.store import notices, people
from sitewarden_collector.store.people import Reachable, Road


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("person", help="how people are reached, and when they want quiet")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    put = inner.add_parser("set", help="change how a person is reached")
    put.add_argument("person", metavar="PERSON", help="as their account is called")
    put.add_argument(
        "--road", action="append", metavar="CHANNEL[=ADDRESS]", help="in the order in which they are tried; repeatable"
    )
    put.add_argument("--quiet", metavar="FROM-UNTIL", help="as 22:00-07:00, or none; risks wait, pages never do")
    put.add_argument("--zone", metavar="ZONE", help="of the quiet hours, as Asia/Shanghai")
    put.add_argument("--locale", choices=("en", "zh"), help="the language of their links")
    put.set_defaults(run=_set)
    listing = inner.add_parser("list", help="everybody that is known")
    listing.set_defaults(run=_list)
    remove = inner.add_parser("remove", help="forget how a person is reached")
    remove.add_argument("person", metavar="PERSON")
    remove.set_defaults(run=_remove)
    feed = inner.add_parser("feed", help="publish a person's shifts under a new secret address")
    feed.add_argument("person", metavar="PERSON")
    feed.set_defaults(run=_feed)

    away = commands.add_parser("away", help="somebody is away: their turns go to the next")
    away.add_argument("person", metavar="PERSON")
    away.add_argument("--from", dest="begin", default="now", metavar="TIME", help="default: now")
    away.add_argument("--until", required=True, metavar="TIME", help="2026-11-24T09:00 or +8h")
    away.add_argument("--zone", default="UTC", metavar="ZONE", help="of these times (default: UTC)")
    away.set_defaults(run=_away)

    test = commands.add_parser("test", help="send a person a test page by all of their channels")
    test.add_argument("person", metavar="PERSON")
    test.set_defaults(run=_test)
    for one in (put, listing, remove, feed, away, test):
        _common.add_config_option(one)
        _common.add_json_option(one)


def _set(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    with closing(_common.open_database(config)) as db:
        person = db.read_now(people.find, arguments.person) or Reachable(arguments.person)
        if arguments.road is not None:
            roads = tuple(Road(*road.partition("=")[::2]) for road in arguments.road)
            for road in roads:
                if road.channel not in config.channels:
                    raise ConfigError(f"there is no [channels.{road.channel}] in the configuration")
            person = replace(person, roads=roads)
        if arguments.quiet is not None:
            begin, _, end = arguments.quiet.partition("-")
            quiet = (None, None) if arguments.quiet == "none" else (minute_of(begin), minute_of(end))
            person = replace(person, quiet_from=quiet[0], quiet_until=quiet[1])
        if arguments.zone is not None:
            instant_ns("2026-01-01T00:00", arguments.zone)
            person = replace(person, zone=arguments.zone)
        if arguments.locale is not None:
            person = replace(person, locale=arguments.locale)
        db.write_now(people.save, person)
    if arguments.json:
        _common.print_json(_row(person))
    else:
        print(f"{person.name} is reached by {_roads(person) or 'nothing yet'}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        found = db.read_now(people.every)
    if arguments.json:
        _common.print_json(_row(one) for one in found)
        return 0
    rows = [(one.name, _roads(one), _quiet(one), one.zone, one.locale) for one in found]
    empty = "nobody; those of the [[on_call]] list are reached as it says"
    _common.print_table(("PERSON", "REACHED BY", "QUIET", "ZONE", "LANGUAGE"), rows, empty=empty)
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(people.remove, arguments.person)
    return _say(arguments, f"{arguments.person} is forgotten", {"removed": arguments.person})


def _feed(arguments: argparse.Namespace) -> int:
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        address = db.write_now(shift_calendars.publish, person=arguments.person)
    return _say(arguments, f"subscribe to {address} (whoever has this address can read it)", {"address": address})


def _away(arguments: argparse.Namespace) -> int:
    begin, end = instant_ns(arguments.begin, arguments.zone), instant_ns(arguments.until, arguments.zone)
    with closing(_common.open_database(_common.load_config(arguments))) as db:
        db.write_now(oncall.take_time_off, arguments.person, from_ns=begin, until_ns=end, now_ns=time.time_ns())
    until = _common.iso(end)
    return _say(arguments, f"{arguments.person} is away until {until}", {"person": arguments.person, "until": until})


def _test(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    now_ns = time.time_ns()
    with closing(_common.open_database(config)) as db:
        db.write_now(roster.remember, listed_people(config.on_call), public_url=config.console.public_url)
        known = db.read_now(roster.known, [arguments.person])
        roads = known[arguments.person].roads if arguments.person in known else ()
        if not roads:
            raise NotFound(
                f"no channel reaches {arguments.person}: sitewarden oncall person set {arguments.person} --road CHANNEL"
            )
        for road in roads:
            db.write_now(
                notices.add,
                kind="page",
                person=arguments.person,
                channel=road.channel,
                address=road.address,
                subject="a test page of Sitewarden",
                body="Nothing is wrong. Somebody tries whether pages reach you by this channel.",
                urgency="high",
                dedup_key=f"test:{arguments.person}:{road.channel}:{now_ns}",
                now_ns=now_ns,
            )
    names = ", ".join(road.channel for road in roads)
    text = f"written for {arguments.person} by {names}; see `sitewarden notice list` for what came of it"
    return _say(arguments, text, {"person": arguments.person, "channels": [road.channel for road in roads]})


def _say(arguments: argparse.Namespace, text: str, said: dict[str, Any]) -> int:
    if arguments.json:
        _common.print_json(said)
    else:
        print(text)
    return 0


def _roads(person: Reachable) -> str:
    return ", ".join(f"{road.channel}={road.address}" if road.address else road.channel for road in person.roads)


def _quiet(person: Reachable) -> str:
    if person.quiet_from is None or person.quiet_until is None:
        return ""
    return f"{clock(person.quiet_from)}-{clock(person.quiet_until)}"


def _row(person: Reachable) -> dict[str, Any]:
    return {
        "person": person.name,
        "roads": [{"channel": road.channel, "address": road.address} for road in person.roads],
        "quiet": _quiet(person),
        "zone": person.zone,
        "locale": person.locale,
    }
