"""Problems: the one cause behind several incidents, from its opening to the maintenance that removes it.

`step` opens problems for faults that are at several sites or keep coming back, and takes further incidents of the fault
in. A workaround is shown at every incident of the problem. Not here: when incidents make one (`alerting.problems`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sitewarden_alerting import problems as pure
from sitewarden_alerting.model import SECOND_NS, Ticket
from sitewarden_alerting.problems import PROBLEM_MOVES, Incident, ProblemPolicy, ProblemState
from sitewarden_collector.errors import Conflict, Invalid
from sitewarden_collector.services import aftermath, webhooks
from sitewarden_collector.services import tickets as ticketing
from sitewarden_collector.services.desk.changing import text_of, written
from sitewarden_collector.store import changes, problems, settings, tasks, tickets
from sitewarden_collector.store.base import new_id
from sitewarden_collector.store.numbers import next_number
from sitewarden_collector.store.problems import Problem, ProblemEvent
from sitewarden_collector.store.tasks import StoredTask
from sitewarden_collector.store.tickets import Event, Listed

BY_RULES = "rules"
EDITABLE = {"title": 300, "owner": 200, "cause": 20_000, "workaround": 20_000}
AT_ONCE = 100  # incidents that one step takes in
_POLICY = "problems"


@dataclass(frozen=True, slots=True)
class ShownProblem:
    problem: Problem
    incidents: tuple[Listed, ...]
    tasks: tuple[StoredTask, ...]
    history: tuple[ProblemEvent, ...]


def open_problem(
    tx: Connection, title: str, numbers: Sequence[str] = (), *, by: str, now_ns: int, fault: str = "", site_id: str = ""
) -> Problem:
    """A problem over some tickets. Where all of them are of one fault, its further incidents belong to it too."""
    those = [tickets.by_number(tx, number, for_update=True) for number in numbers]
    faults = {ticket.fault for ticket in those}
    problem = Problem(
        id=new_id(),
        number=next_number(tx, "PRB"),
        title=text_of(title, "the title", most=EDITABLE["title"]),
        state=ProblemState.NEW,
        fault=fault or (faults.pop() if len(faults) == 1 else ""),
        site_id=site_id,
        opened_ns=now_ns,
        opened_by=by,
    )
    problems.save(tx, problem, new=True)
    _note(tx, problem, "open_problem", problem.title, by=by, now_ns=now_ns)
    for ticket in those:
        _include(tx, problem, ticket, by=by, now_ns=now_ns)
    return problem


def include(tx: Connection, problem: str, number: str, *, by: str, now_ns: int) -> Ticket:
    """A ticket is an incident of this problem; it is taken out of another one."""
    found = problems.by_number(tx, problem)
    return _include(tx, found, tickets.by_number(tx, number, for_update=True), by=by, now_ns=now_ns)


def exclude(tx: Connection, problem: str, number: str, *, by: str, now_ns: int) -> Ticket:
    """A ticket has nothing to do with this problem after all."""
    found, ticket = problems.by_number(tx, problem), tickets.by_number(tx, number, for_update=True)
    if ticket.problem_id != found.id:
        raise Conflict(f"{ticket.number} is no incident of {found.number}")
    text = f"no incident of {found.number}"
    return written(tx, replace(ticket, problem_id=""), "unlink_problem", text, by=by, now_ns=now_ns)


def edit(tx: Connection, /, problem: str, *, by: str, now_ns: int, **said: str) -> Problem:
    """Write title, owner, cause or workaround. Raises Invalid."""
    found = problems.by_number(tx, problem)
    for name, text in said.items():
        if name not in EDITABLE:
            raise Invalid(f"a problem has no {name}; it has {', '.join(EDITABLE)}")
        clean = text_of(text, f"the {name}", most=EDITABLE[name]) if text else ""
        found = replace(found, **{name: clean})  # type: ignore[arg-type]
        _note(tx, found, f"set_{name}", clean or f"no {name}", by=by, now_ns=now_ns)
    problems.save(tx, found, new=False)
    return found


def move(tx: Connection, problem: str, to: str, *, by: str, now_ns: int) -> Problem:
    """investigating, known_error (needs a cause), or closed. Raises Conflict for what is not possible."""
    found = problems.by_number(tx, problem)
    if to not in list(ProblemState):
        raise Invalid(f"a problem cannot be {to!r}; it is {', '.join(ProblemState)}")
    if to == ProblemState.RESOLVED:
        raise Invalid("resolve a problem with how it was resolved: `sitewarden problem resolve`")
    found = _moved(found, ProblemState(to))
    problems.save(tx, found, new=False)
    _note(tx, found, "move_problem", to.replace("_", " "), by=by, now_ns=now_ns)
    return found


def resolve(
    tx: Connection, problem: str, how: str, *, by: str, now_ns: int, resolve_incidents: bool = False
) -> tuple[Problem, tuple[str, ...]]:
    """The cause is gone. Returns the problem and its incidents that were (`resolve_incidents`), or still could be,
    resolved with it."""
    found = replace(
        _moved(problems.by_number(tx, problem), ProblemState.RESOLVED),
        resolution=text_of(how, "how it was resolved"),
        resolved_ns=now_ns,
    )
    problems.save(tx, found, new=False)
    _note(tx, found, "resolve_problem", found.resolution, by=by, now_ns=now_ns)
    there = [one.ticket.number for one in problems.incidents(tx, found.id) if one.ticket.is_open]
    for number in there if resolve_incidents else ():
        ticketing.resolve(tx, number, by, f"{found.number} is resolved: {found.resolution}", now_ns=now_ns)
    return found, tuple(there)


def add_task(
    tx: Connection, problem: str, text: str, owner: str, due_ns: int | None, *, by: str, now_ns: int
) -> StoredTask:
    """Maintenance that removes the cause, with an owner and a date."""
    found = problems.by_number(tx, problem)
    said, who = text_of(text, "the task"), text_of(owner, "the owner", most=200)
    task = StoredTask(new_id(), "maintenance", found.id, found.number, "", said, who, due_ns, now_ns)
    tasks.put(tx, task)
    _note(tx, found, "add_task", f"{who} is to: {said}", by=by, now_ns=now_ns)
    return task


def show(tx: Connection, problem: str) -> ShownProblem:
    """One problem with its incidents, tasks and history. Raises NotFound."""
    found = problems.by_number(tx, problem)
    return ShownProblem(
        found,
        tuple(problems.incidents(tx, found.id)),
        tuple(tasks.of(tx, found.id)),
        tuple(problems.history_of(tx, found.id)),
    )


def of_ticket(tx: Connection, ticket: Ticket) -> Problem | None:
    """The problem behind a ticket, with its workaround."""
    return problems.by_id(tx, ticket.problem_id) if ticket.problem_id else None


def policy(tx: Connection) -> ProblemPolicy:
    return ProblemPolicy(**(settings.get(tx, _POLICY) or {}))


def set_policy(tx: Connection, wanted: ProblemPolicy) -> None:
    """Raises Invalid."""
    if wanted.sites < 2 or wanted.times < 2 or wanted.window_s <= 0:
        raise Invalid("a problem needs at least 2 sites or 2 times, within some time")
    settings.put(tx, _POLICY, {"sites": wanted.sites, "times": wanted.times, "window_s": wanted.window_s})


def step(tx: Connection, *, now_ns: int, limit: int = AT_ONCE) -> int:
    """Open the problems that incidents make by now, and take in what belongs to open ones; how many changes. What is
    more than `limit` waits for the next step: intake waits for the same writer."""
    wanted = policy(tx)
    alive = problems.alive(tx)
    since_ns = now_ns - round(wanted.window_s * SECOND_NS)
    least = min(wanted.sites, wanted.times)
    late = problems.lately(tx, since_ns=since_ns, least=least, faults={problem.fault for problem in alive})
    by_fault: dict[str, list[Incident]] = defaultdict(list)
    for one in late:
        by_fault[one.fault].append(one)
    taken: dict[str, Problem] = {}
    for problem in alive:
        for one in by_fault[problem.fault]:
            mine = problem.site_id in ("", one.site_id)
            if mine and one.is_open and one.kind in pure.GROUPED and one.ticket_id not in taken:
                taken[one.ticket_id] = problem
    still_open = {one.ticket_id for one in late if one.is_open}
    left = [one for one in late if one.ticket_id not in taken]
    for made in pure.suggest(left, wanted, now_ns=now_ns):
        if len(taken) >= limit:
            break
        title = (tickets.by_id(tx, made.tickets[0]) or _gone()).title
        opened = open_problem(tx, title, by=BY_RULES, fault=made.fault, site_id=made.site_id, now_ns=now_ns)
        _note(tx, opened, "suggest_problem", made.reason, by=BY_RULES, now_ns=now_ns)
        # What is resolved already is taken in now: later only open ones are looked for.
        taken |= dict.fromkeys(sorted(made.tickets, key=still_open.__contains__), opened)
    _include_all(tx, list(taken.items())[:limit], now_ns=now_ns)
    return min(len(taken), limit)


def _include_all(tx: Connection, some: Sequence[tuple[str, Problem]], *, now_ns: int) -> None:
    """Let tickets, by their ids, become incidents of problems."""
    there = tickets.by_ids(tx, [ticket_id for ticket_id, _ in some], for_update=True)
    joined = [(replace(there.get(ticket_id) or _gone(), problem_id=problem.id), problem) for ticket_id, problem in some]
    tickets.save_all(tx, [ticket for ticket, _ in joined], new=False)
    told = [(ticket, [_link(problem, by=BY_RULES, now_ns=now_ns)]) for ticket, problem in joined]
    aftermath.record_all(tx, told, now_ns=now_ns)
    noted = [(problem, ProblemEvent(now_ns, "add_incident", BY_RULES, ticket.number)) for ticket, problem in joined]
    _note_all(tx, noted, now_ns=now_ns)


def _link(problem: Problem, *, by: str, now_ns: int) -> Event:
    text = f"an incident of {problem.number}: {problem.title}"
    return Event(now_ns, "link_problem", by, text, data={"problem": problem.number})


def _gone() -> Ticket:
    raise RuntimeError("a ticket went while its problem was made")


def _include(tx: Connection, problem: Problem, ticket: Ticket, *, by: str, now_ns: int) -> Ticket:
    if ticket.problem_id == problem.id:
        raise Conflict(f"{ticket.number} is an incident of {problem.number} already")
    _note(tx, problem, "add_incident", ticket.number, by=by, now_ns=now_ns)
    ticket = replace(ticket, problem_id=problem.id)
    link = _link(problem, by=by, now_ns=now_ns)
    return written(tx, ticket, link.what, link.text, by=by, now_ns=now_ns, data=link.data)


def _moved(problem: Problem, to: ProblemState) -> Problem:
    possible = PROBLEM_MOVES[problem.state]
    if to not in possible:
        allowed = ", ".join(sorted(possible)) or "nothing: it is final"
        raise Conflict(f"{problem.number} is {problem.state.value}; from there it can become {allowed}")
    if to is ProblemState.KNOWN_ERROR and not problem.cause:
        raise Conflict(f"the cause of {problem.number} is not written down yet; a known error has one")
    return replace(problem, state=to, resolved_ns=None if to is ProblemState.INVESTIGATING else problem.resolved_ns)


def _note(tx: Connection, problem: Problem, what: str, text: str, *, by: str, now_ns: int) -> None:
    _note_all(tx, [(problem, ProblemEvent(now_ns, what, by, text))], now_ns=now_ns)


def _note_all(tx: Connection, some: Sequence[tuple[Problem, ProblemEvent]], *, now_ns: int) -> None:
    problems.remember(tx, [(problem.id, event) for problem, event in some])
    changes.note_all(tx, "problem", [(problem.id, event.what, "", "") for problem, event in some], now_ns=now_ns)
    if not webhooks.anybody_listens(tx):
        return
    for problem, event in some:
        told = {
            "number": problem.number,
            "title": problem.title,
            "state": problem.state.value,
            "fault": problem.fault,
            "owner": problem.owner,
        }
        said = {"what": event.what, "by": event.by, "text": event.text[: webhooks.TEXT_MAX_CHARS]}
        data = {"problem": told, "event": said}
        webhooks.announce(tx, f"problem.{event.what}", data, ref=problem.number, now_ns=now_ns)


def finished(tx: Connection, problem_id: str, text: str, *, by: str, now_ns: int) -> None:
    """A task of a problem is done."""
    found = problems.by_id(tx, problem_id)
    if found is not None:
        _note(tx, found, "finish_task", text, by=by, now_ns=now_ns)
