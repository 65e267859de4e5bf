"""The commands of `sitewarden ticket` that work on one: open, move, assign, comment, attach, solve."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from sitewarden_alerting.model import PRIORITIES, TicketType, Waiting
from sitewarden_alerting.solutions import Solution, Step
from sitewarden_collector.cli import _common, _working
from sitewarden_collector.cli._times import instant_ns
from sitewarden_collector.cli._working import command, say, show, write
from sitewarden_collector.config import Config
from sitewarden_collector.errors import ConfigError
from sitewarden_collector.services.desk import assigning, attaching, comments, moving, reporting, solutions


def register(commands: Any) -> None:
    report = command(commands, "report", _report, "open a ticket by hand", "site", "title")
    report.add_argument("--type", choices=[one.value for one in TicketType], default="incident")
    report.add_argument("--severity", type=int, default=3, metavar="N", help="1 to 5, 5 is the worst (default: 3)")
    report.add_argument("--priority", type=int, choices=PRIORITIES, help="1 to 4 (default: as the rules judge it)")
    report.add_argument("--text", default="", help="what was told; it becomes the first comment")
    report.add_argument("--reporter", default="", metavar="NAME", help="who told it (default: whoever opens it)")
    report.add_argument("--reported", default="now", metavar="TIME", help="when it was told: the clocks count from it")
    report.add_argument("--category", default="")
    report.add_argument("--component", default="")
    report.add_argument("--from-customer", action="store_true", help="the customer wrote it themselves")

    assign = command(commands, "assign", _assign, "give a ticket to an engineer", "number")
    assign.add_argument("to", nargs="?", default="", metavar="NAME", help="(default: whoever is suggested)")
    assign.add_argument("--reason", default="")
    assign.add_argument("--nobody", action="store_true", help="take it from whoever has it")
    command(commands, "suggest", _suggest, "who should have a ticket, and why", "number", by=False)

    command(commands, "start", _start, "begin to work on a ticket", "number")
    wait = command(commands, "wait", _wait, "say what a ticket waits for", "number")
    wait.add_argument("reason", choices=[one.value for one in Waiting])
    wait.add_argument("--text", default="")
    command(commands, "resume", _resume, "what a ticket waited for has come", "number").add_argument(
        "--text", default=""
    )
    confirm = command(commands, "confirm", _confirm, "the customer says that it is solved: closes it", "number")
    confirm.add_argument("--comment", default="")
    close = command(commands, "close", _close, "close a ticket for good", "number")
    close.add_argument("--why", default="", help="needed where it was not resolved")
    command(commands, "reopen", _reopen, "a resolved ticket is not solved after all", "number", "why")
    categorise = command(commands, "categorise", _categorise, "say what a ticket is about", "number", "category")
    categorise.add_argument("component", nargs="?", default="", metavar="COMPONENT")

    comment = command(commands, "comment", _comment, "write a note, or to the customer", "number", "text")
    comment.add_argument("--to-customer", action="store_true", help="the customer sees it")
    comment.add_argument("--from-customer", action="store_true", help="the customer said it")
    attach = command(commands, "attach", _attach, "keep a file with a ticket", "number", "file")
    attach.add_argument("--to-customer", action="store_true", help="the customer sees it")
    fetch = command(commands, "fetch", _fetch, "write a file of a ticket to disk", "attachment", "file", by=False)
    fetch.description = "The attachment's id stands in `sitewarden ticket show --json`."

    propose = command(commands, "propose", _propose, "propose a solution to the customer", "number", "text")
    for step in (Step.AGREE, Step.CARRY_OUT, Step.VERIFY):
        flag = step.value.replace("_", "-")
        propose.add_argument(f"--{flag}", nargs=2, metavar=("OWNER", "DUE"), help=f"whose step `{flag}` is, until when")
    plan = command(commands, "plan", _plan, "say whose a step of the solution is, until when", "number")
    plan.add_argument("step", choices=[one.value for one in Step])
    plan.add_argument("owner", metavar="OWNER")
    plan.add_argument("due", metavar="DUE", help="as 2026-11-24T09:00 or +2h")
    agree = command(commands, "agree", _agree, "the customer agrees to the solution", "number")
    agree.add_argument("--who", default="", metavar="NAME", help="who of them")
    agree.add_argument("--text", default="")
    for name, run, help in (
        ("carry-out", _carry_out, "the solution is carried out"),
        ("verify", _verify, "the solution was looked at, and works"),
    ):
        command(commands, name, run, help, "number").add_argument("--text", default="")
    command(commands, "reject", _reject, "the solution is not wanted, or did not work", "number", "why")


def _report(arguments: argparse.Namespace) -> int:
    ticket = write(
        arguments,
        reporting.report,
        arguments.site,
        arguments.title,
        type=arguments.type,
        severity=arguments.severity,
        priority=arguments.priority,
        text=arguments.text,
        reporter=arguments.reporter,
        reported_ns=None if arguments.reported == "now" else instant_ns(arguments.reported),
        category=arguments.category,
        component=arguments.component,
        from_customer=arguments.from_customer,
    )
    return say(arguments, ticket, f"{ticket.number} is open")


def _assign(arguments: argparse.Namespace) -> int:
    if arguments.nobody:
        ticket = write(arguments, assigning.unassign, arguments.number)
    elif arguments.to:
        ticket = write(arguments, assigning.assign, arguments.number, arguments.to, reason=arguments.reason)
    else:
        ticket = write(arguments, assigning.give, arguments.number)
    return say(arguments, ticket, f"{ticket.number} is {ticket.assignee or 'nobody'}'s now")


def _suggest(arguments: argparse.Namespace) -> int:
    choice = _working.read(arguments, assigning.suggest, arguments.number, now_ns=instant_ns("now"))
    return show(arguments, _working.row(choice), f"{choice.who or 'nobody'}: {choice.reason}")


def _start(arguments: argparse.Namespace) -> int:
    return say(arguments, write(arguments, moving.start, arguments.number))


def _wait(arguments: argparse.Namespace) -> int:
    return say(arguments, write(arguments, moving.wait, arguments.number, arguments.reason, text=arguments.text))


def _resume(arguments: argparse.Namespace) -> int:
    return say(arguments, write(arguments, moving.resume, arguments.number, text=arguments.text))


def _confirm(arguments: argparse.Namespace) -> int:
    return say(arguments, write(arguments, moving.confirm, arguments.number, comment=arguments.comment))


def _close(arguments: argparse.Namespace) -> int:
    return say(arguments, write(arguments, moving.close, arguments.number, why=arguments.why))


def _reopen(arguments: argparse.Namespace) -> int:
    return say(arguments, write(arguments, moving.reopen, arguments.number, arguments.why))


def _categorise(arguments: argparse.Namespace) -> int:
    words = (arguments.number, arguments.category, arguments.component)
    ticket = write(arguments, moving.set_category, *words)
    return say(arguments, ticket, f"{ticket.number} is about {ticket.category}, {ticket.component or 'no component'}")


def _comment(arguments: argparse.Namespace) -> int:
    visibility = "customer" if arguments.to_customer else "internal"
    made = write(
        arguments,
        comments.add,
        arguments.number,
        arguments.text,
        visibility=visibility,
        from_customer=arguments.from_customer,
    )
    seen = "the customer sees it" if made.visibility == "customer" else "only engineers see it"
    return show(arguments, _working.row(made, "ticket_id", "customer_id"), f"written; {seen}")


def _attach(arguments: argparse.Namespace) -> int:
    path = Path(arguments.file)
    try:
        with path.open("rb") as file:
            content = file.read(attaching.SIZE_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
    secret = _secret(_common.load_config(arguments))
    visibility = "customer" if arguments.to_customer else "internal"
    made = write(arguments, attaching.attach, arguments.number, path.name, content, secret, visibility=visibility)
    return show(arguments, _working.row(made, "ticket_id", "customer_id"), f"{made.name} is kept as {made.id}")


def _fetch(arguments: argparse.Namespace) -> int:
    config = _common.load_config(arguments)
    with closing(_common.open_database(config)) as db:
        secret = _secret(config)
        found, content = db.read_now(attaching.content_of, arguments.attachment, secret)
    try:
        with Path(arguments.file).open("xb") as file:
            file.write(content)
    except OSError as error:
        raise ConfigError(f"{arguments.file} cannot be written ({error.strerror})") from error
    return show(arguments, _working.row(found, "ticket_id", "customer_id"), f"{found.name}: {found.size} bytes")


def _secret(config: Config) -> Fernet:
    from sitewarden_collector import pki  # here: certificates are slow to import, and few commands on tickets need it

    return pki.secret_key(config.data_path, create=False)


def _propose(arguments: argparse.Namespace) -> int:
    duties = {}
    for step in (Step.AGREE, Step.CARRY_OUT, Step.VERIFY):
        given = getattr(arguments, step.value)
        if given:
            duties[step.value] = (given[0], instant_ns(given[1]))
    return _solved(arguments, write(arguments, solutions.propose, arguments.number, arguments.text, duties=duties))


def _plan(arguments: argparse.Namespace) -> int:
    due_ns = instant_ns(arguments.due)
    if arguments.step == Step.PROPOSE:
        return _solved(arguments, write(arguments, solutions.plan, arguments.number, arguments.owner, due_ns))
    words = (arguments.number, arguments.step, arguments.owner, due_ns)
    return _solved(arguments, write(arguments, solutions.give_step, *words))


def _agree(arguments: argparse.Namespace) -> int:
    made = write(arguments, solutions.agree, arguments.number, agreed_by=arguments.who, text=arguments.text)
    return _solved(arguments, made)


def _carry_out(arguments: argparse.Namespace) -> int:
    return _solved(arguments, write(arguments, solutions.carry_out, arguments.number, text=arguments.text))


def _verify(arguments: argparse.Namespace) -> int:
    return _solved(arguments, write(arguments, solutions.verify, arguments.number, text=arguments.text))


def _reject(arguments: argparse.Namespace) -> int:
    return _solved(arguments, write(arguments, solutions.reject, arguments.number, arguments.why))


def _solved(arguments: argparse.Namespace, solution: Solution) -> int:
    state = solution.state.value.replace("_", " ")
    return show(arguments, solution_row(solution), f"the solution of {arguments.number.upper()} is {state}")


def solution_row(solution: Solution) -> dict[str, Any]:
    """A solution with its steps."""
    steps = {step.value: _working.row(duty) for step, duty in solution.duties.items()}
    return _working.row(solution, "ticket_id", "customer_id", "duties") | {"steps": steps}
