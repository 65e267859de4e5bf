"""Rate rules: so many log events within a window that somebody should look. They recover when the window empties."""

from __future__ import annotations

from dataclasses import replace

from sitewarden_alerting.identity import first_of, key
from sitewarden_alerting.model import SECOND_NS, Signal, SignalKind, SignalState
from sitewarden_alerting.observations import LogEvent, Observation
from sitewarden_alerting.rules import windows
from sitewarden_alerting.rules.logs import signal_of
from sitewarden_alerting.rules.rulebook import NewFault, Rate
from sitewarden_alerting.rules.state import Head, Window, Working
from sitewarden_alerting.wording import cut, log_title


def rate(
    work: Working, rule: Rate, observation: Observation, event: LogEvent, head: Head | None, *, at_ns: int
) -> None:
    """Count an event for a rate rule, once whatever its parts; signal while the window holds enough."""
    if head is not None or not rule.where.takes(event):
        return
    subject = {"site": "", "agent": observation.place.agent_id, "fault": event.fingerprint}[rule.by]
    name = key(rule.name, subject)
    window_ns = round(rule.window_s * SECOND_NS)
    before = work.windows.get(name, Window((), 0))
    last_ns = max(before.last_ns, at_ns)
    buckets = windows.add(before.buckets, window_ns, at_ns=at_ns, count=max(1, event.count))
    number = windows.total(buckets, window_ns, at_ns=last_ns)
    if number < rule.count:
        if before.signal is not None:
            work.signals.append(_over(rule, before.signal, number, at_ns=last_ns))
        work.windows[name] = Window(buckets, last_ns)
        return
    what = {"site": "the site", "agent": observation.place.hostname, "fault": log_title(event)}[rule.by]
    shown = signal_of(NewFault(name=rule.name), observation, event, fault=f"rate:{name}", at_ns=at_ns)
    signal = replace(
        shown,
        kind=SignalKind.LEVEL,
        subject=what,
        severity=int(rule.severity),
        title=cut(f"{rule.title or 'Too many log events'}: {what}", 160),
        reason=f"{number} events within {rule.window_s:g} s; {rule.count} are too many",
        count=number if before.signal is None else max(1, event.count),
        head=False,
        page=rule.page,
        repeats=before.signal is not None,
        evidence=tuple(replace(one, record="") for one in shown.evidence),
    )
    work.windows[name] = Window(buckets, last_ns, signal)
    work.signals.append(signal)


def rate_over(work: Working, rule: Rate, *, now_ns: int) -> None:
    """Say of every window of the rule that holds too little by now that it recovered, and forget the empty ones."""
    window_ns = round(rule.window_s * SECOND_NS)
    for name, window in list(work.windows.items()):
        if first_of(name) != rule.name:
            continue
        number = windows.total(window.buckets, window_ns, at_ns=max(now_ns, window.last_ns))
        if window.signal is not None and number < rule.count:
            work.signals.append(_over(rule, window.signal, number, at_ns=now_ns))
            work.windows[name] = replace(window, signal=None)
        if number == 0:
            del work.windows[name]


def _over(rule: Rate, fired: Signal, number: int, *, at_ns: int) -> Signal:
    reason = f"{number} events within {rule.window_s:g} s; {rule.count} are too many"
    return replace(fired, state=SignalState.RECOVERED, count=0, evidence=(), reason=reason, at_ns=at_ns, repeats=False)
