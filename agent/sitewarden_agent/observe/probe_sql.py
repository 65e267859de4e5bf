"""One question to a database, asked by a short process of its own, so that its driver never lives in this one.

The process is told what to do on its input, reads the password from its file itself, and answers with one line. Not
here: the asking (`sql_child`), limits on the process (`commands`).
"""

from __future__ import annotations

import sys

import msgspec

from sitewarden_agent.config import SqlProbe
from sitewarden_agent.model import Series
from sitewarden_agent.observe.commands import run_command
from sitewarden_agent.observe.looks import Bad, Look

_CHILD = ("-I", "-m", "sitewarden_agent.observe.sql_child")


class Question(msgspec.Struct, frozen=True):
    engine: str
    host: str
    port: int | None
    user: str
    password_file: str | None
    database: str
    tls: bool
    verify: bool
    ca_file: str | None
    query: str
    timeout_s: float


class Answer(msgspec.Struct, frozen=True):
    """`complaint` is empty when it answered; `number` is the first of its first row, None when that is no number."""

    complaint: str = ""
    number: float | None = None
    connect_s: float = 0.0
    query_s: float = 0.0


async def ask(probe: SqlProbe) -> Look:
    """Raises Bad."""
    question = Question(
        engine=probe.engine,
        host=probe.host,
        port=probe.connects_to,
        user=probe.user,
        password_file=probe.password_file,
        database=probe.database,
        tls=probe.tls,
        verify=probe.verify,
        ca_file=probe.ca_file,
        query=probe.query,
        timeout_s=probe.timeout_s,
    )
    stdin = msgspec.json.encode(question)
    ran = await run_command((sys.executable, *_CHILD), timeout_s=probe.timeout_s, stdin=stdin)
    if ran.trouble:
        raise Bad(ran.trouble)
    try:
        answer = msgspec.json.decode(ran.stdout, type=Answer)
    except msgspec.DecodeError:
        said = ran.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise Bad(f"the asking itself failed with exit code {ran.exit_code}: {said}") from None
    return judge(probe, answer)


def judge(probe: SqlProbe, answer: Answer) -> Look:
    """What the answer says of the database."""
    spent_ns = round((answer.connect_s + answer.query_s) * 1e9)
    if answer.complaint:
        return Look(False, answer.complaint, spent_ns)
    labels = (("probe", probe.name),)
    values = {
        Series("sql_connect_seconds", labels, "seconds"): answer.connect_s,
        Series("sql_query_seconds", labels, "seconds"): answer.query_s,
    }
    number = answer.number
    if number is not None:
        values[Series("sql_value", labels)] = number
    if probe.at_least is None and probe.at_most is None:
        return Look(True, "answers", spent_ns, values=values)
    if number is None:
        return Look(False, "the answer is no number; let the query give one", spent_ns, values=values)
    if probe.at_least is not None and number < probe.at_least:
        return Look(
            False, f"the answer is {number:g}, at least {probe.at_least:g} is expected", spent_ns, values=values
        )
    if probe.at_most is not None and number > probe.at_most:
        return Look(False, f"the answer is {number:g}, at most {probe.at_most:g} is expected", spent_ns, values=values)
    return Look(True, f"the answer is {number:g}", spent_ns, values=values)
