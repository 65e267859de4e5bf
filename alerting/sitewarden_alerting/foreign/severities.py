"""How bad an alert is, in the words of other monitoring."""

from __future__ import annotations

from sitewarden_alerting.reading.severity import Severity

_WORDS = {
    Severity.CRITICAL: "critical crit page fatal disaster emergency emerg p1 sev1 highest urgent",
    Severity.ERROR: "error err high major average severe p2 sev2 alert",
    Severity.WARNING: "warning warn medium minor low p3 sev3 ticket",
    Severity.INFO: "info information informational notice none ok p4 p5 sev4 sev5 debug not-classified",
}
_BY_WORD = {word: severity for severity, words in _WORDS.items() for word in words.split()}


def named(word: str, otherwise: int = Severity.ERROR) -> int:
    """The severity that a word names; an alert that does not say is an error: better one page too many."""
    return int(_BY_WORD.get(word.strip().lower().replace(" ", "-"), otherwise))
