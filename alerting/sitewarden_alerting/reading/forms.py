"""The formats that a log can be said to have, and what of the reading that leaves.

Every common format is recognised record by record, so `auto` will do for nearly every log. A format that is set takes
away what could be mistaken: a line of JSON in a text log stays text, what looks like a header stays in the message, and
where each line is a record none is joined to the one before. Not here: the reading itself (`header`, `lines`).
"""

from dataclasses import dataclass
from typing import Literal

Format = Literal[
    "auto",
    "plain",
    "syslog",
    "json",
    "nginx",
    "java",
    "python",
    "dotnet",
    "go",
    "node",
    "postgresql",
    "mysql",
    "kernel",
    "journald",
]


@dataclass(frozen=True, slots=True)
class Form:
    """`structured`: whether JSON and logfmt are read as such; `text`: whether headers are taken off; `joins`: whether a
    line may continue the one before.
    """

    structured: bool = True
    text: bool = True
    joins: bool = True


AUTO = Form()
_FORMS = {
    "plain": Form(structured=False, text=False, joins=False),
    "syslog": Form(structured=False),
    "json": Form(text=False, joins=False),
    "journald": Form(text=False, joins=False),
    "nginx": Form(structured=False, joins=False),
    "kernel": Form(structured=False, joins=False),
    "postgresql": Form(structured=False),
    "mysql": Form(structured=False),
}


def of(name: str) -> Form:
    """What a format leaves of the reading. Programs of Java, Python, .NET, Go and Node write text, JSON or both."""
    return _FORMS.get(name, AUTO)
