"""What a ticket's page offers to choose from and says in words of its own: links, problems, files, why a priority."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastapi import Request

from sitewarden_alerting.priority import Judged
from sitewarden_collector.console import i18n
from sitewarden_collector.console.i18n import N_
from sitewarden_collector.console.ticket_files import FILES_MAX
from sitewarden_collector.console.ticket_relations import LINKS
from sitewarden_collector.services.access import Principal
from sitewarden_collector.services.desk.attaching import SIZE_MAX
from sitewarden_collector.services.desk.sniffing import KNOWN
from sitewarden_collector.services.ticket_view import View
from sitewarden_collector.store.categories import Category

# The steps of a judgement as `alerting.priority` writes them, and as people read them here.
STEPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"severity (?P<severity>\w+): (?P<number>\d)"), N_("severity %(severity)s: P%(number)s")),
    (re.compile(r"gold customer: one more urgent"), N_("gold customer: one more urgent")),
    (re.compile(r"(?P<sites>\d+) sites: two more urgent"), N_("%(sites)s sites: two more urgent")),
    (re.compile(r"(?P<sites>\d+) sites: one more urgent"), N_("%(sites)s sites: one more urgent")),
)
SEVERITY = {
    "info": N_("information"),
    "debug": N_("debugging"),
    "warning": N_("warning"),
    "error": N_("error"),
    "critical": N_("critical"),
}
UNITS = ("B", "KiB", "MiB", "GiB")


def offered(request: Request, principal: Principal, view: View) -> dict[str, Any]:
    """What the templates of a ticket use beside the ticket."""
    locale = i18n.language(request, principal)
    say = i18n.translations(locale).gettext
    label = partial(_label, locale=locale)
    judged = () if view.work.judged is None else steps(view.work.judged, say)
    return {
        "judged_steps": judged,
        "priority_why": _why(view, judged, say),
        "link_kinds": [(key, say(said)) for key, (_, _, said) in LINKS.items()],
        "problem_choices": [(one.number, f"{one.number} {one.title}"[:90]) for one in view.work.problems],
        "labelled": lambda found: [(one.name, label(one)) for one in found],
        "label_of": lambda found, name: next((label(one) for one in found if one.name == name), name),
        "file_kinds": KNOWN,
        "files_max": FILES_MAX,
        "file_size": size(SIZE_MAX),
        "size": size,
    }


def steps(judged: Judged, say: Callable[[str], str]) -> list[str]:
    """The steps of a judgement in the reader's language."""
    return [_step(one, say) for one in judged.steps]


def size(count: int) -> str:
    """So many bytes, readably."""
    number, unit = float(count), 0
    while number >= 1024 and unit < len(UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.0f} {UNITS[unit]}" if unit == 0 or number >= 10 else f"{number:.1f} {UNITS[unit]}"


def _step(step: str, say: Callable[[str], str]) -> str:
    for pattern, text in STEPS:
        if found := pattern.fullmatch(step):
            values = found.groupdict()
            if "severity" in values:
                values["severity"] = say(SEVERITY.get(values["severity"], values["severity"]))
            return say(text) % values
    return step


def _why(view: View, judged: Sequence[str], say: Callable[[str], str]) -> str:
    """Why a ticket has its priority: what the last person to set it wrote, else how the rules judge it."""
    for event in view.events:  # the newest first
        if event.what == "set_priority" and event.by != "rules":
            return say(N_("%(by)s: %(reason)s")) % {"by": event.by, "reason": event.text.partition(": ")[2]}
    return "; ".join(judged)


def _label(category: Category, *, locale: str) -> str:
    return category.zh if locale == "zh" else category.en
