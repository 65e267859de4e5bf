"""Redaction by our rules and by a customer's file of them, and what is remembered of records read before."""

from __future__ import annotations

import random
import re
import tempfile
from datetime import UTC
from pathlib import Path

from sitewarden_agent.config import Redact
from sitewarden_agent.errors import ConfigError
from sitewarden_agent.observe import redaction
from sitewarden_alerting.reading import event, header
from sitewarden_alerting.reading.familiar import Familiar
from sitewarden_alerting.reading.lines import Record
from tests.fuzz.run import Target
from tests.fuzz.targets.reading import NOW_NS
from tests.fuzz.targets.reading import SEEDS as LINES

WORD = "Globex-Orders"

SEEDS = (
    *LINES,
    b"ERROR Authorization: Basic R2xvYmV4LU9yZGVyczpodW50ZXIy and R2xvYmV4LU9yZGVycw==\n",
    b"ERROR body {\\u0022password\\u0022:\\u0022hunter2hunter2\\u0022} and %257B%2522token%2522%253A1%257D\n",
    b"ERROR &quot;secret&quot;: &quot;Globex-Orders&quot; in 70617373776f72643d68756e74657232\n",
    b"ERROR packet:\n\t00000000: 7061 7373 776f 7264 3d68 756e 7465 7232  password=hunter2\n",
    b"ERROR ghp_a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6 of sk-proj-a1b2c3d4e5f6a1b2c3d4e5f6\n",
)
RULES = (
    b"[[rules]]\nid = 'acme'\nregex = 'acme-([0-9a-f]{12})'\nsecretGroup = 1\nkeywords = ['acme-']\n",
    b"[[rules]]\nid = 'x'\nregex = '''(?i)key[ =]+(\\w{8,40})'''\nentropy = 3.5\n"
    b"[[rules.allowlists]]\nstopwords = ['test']\n",
    b"[allowlist]\nregexes = ['^a']\n[[rules]]\nid = 'y'\nregex = '(x+x+)+y'\nkeywords = ['x']\n",
)
_DIGIT = re.compile(r"[0-9]")
_redactor = redaction.redactor(Redact(literals=(WORD,)), key=b"k" * 32)


def ours(data: bytes) -> str:
    """Never fails, and leaves no word of the customer's, however it is escaped; nor does it bring one back."""
    text = data.decode("utf-8", "replace")
    once = _redactor.redact(text)
    assert WORD.lower() not in once.lower(), "a literal got through"
    assert WORD.lower() not in _redactor.redact(once).lower(), "a literal came back"
    return "clean" if once == text else "redacted"


def theirs(data: bytes) -> str:
    """A file of rules is refused with words, or holds whatever the text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.toml"
        path.write_bytes(data)
        try:
            made = redaction.redactor(Redact(rules_file=str(path)), key=b"k" * 32)
        except ConfigError:
            return "refused"
    made.redact(f"acme-0123456789ab key = q8Zr2LmW0pXk {'x' * 200} {data[:200].decode('utf-8', 'replace')}")
    return "taken"


def remembered(data: bytes) -> str:
    """A record of a shape that was read before gives what reading it anew gives."""
    text = data.decode("utf-8", "replace").strip("\n") or "x"
    draw, reading, known = random.Random(data), Familiar(_redactor, default_zone=UTC), 0
    for _ in range(4):
        record, missed = Record(0, 0, text, 1, 0), reading.missed
        seen = reading.look(text, now_ns=NOW_NS)
        assert seen.severity == header.read(text, default_zone=UTC, now_ns=NOW_NS).severity, "another severity"
        anew = event.read(record, redact=_redactor.redact, default_zone=UTC, now_ns=NOW_NS)
        assert reading.read(record, seen, now_ns=NOW_NS) == anew, "another event"
        known += reading.missed == missed
        text = _DIGIT.sub(lambda found: draw.choice("0123456789") if draw.random() < 0.5 else found[0], text)
    return f"{known} known"


TARGETS = (
    Target("redactor with all rules", SEEDS, ours),
    Target("file of rules", RULES, theirs),
    Target("remembered shapes", SEEDS, remembered),
)
