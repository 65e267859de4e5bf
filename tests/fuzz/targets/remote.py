"""What a remote store for samples answers: to remote write, and to questions for charts. The bytes of a whole answer
of HTTP go through the real client; only the cable is not there.
"""

from __future__ import annotations

import asyncio
from functools import cache

import httpcore
import httpx
import numpy as np

from sitewarden_alerting.model import MINUTE_NS
from sitewarden_alerting.observations import Series
from sitewarden_collector.channels.remote_store import RETRY_AFTER_MAX_S, SAID_MAX_CHARS, Curve, RemoteStore
from sitewarden_collector.config import RemoteWrite
from sitewarden_collector.errors import ChannelUnavailable
from sitewarden_collector.services import remote_read
from sitewarden_collector.services.remote_read import Asked
from tests.cast import NOON
from tests.fuzz.run import Target, must

SECRET = "hunter2"
STORE = RemoteWrite(url="http://store/api/v1/write", read_url="http://store", user="warden", password=SECRET)
TOLD = {"a1": (Series("cpu_busy_ratio", (), "ratio"), Series("cpu_busy_ratio", (("core", "0"),), "ratio"))}
SINCE_NS, END_NS = NOON, NOON + 10 * MINUTE_NS


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _store() -> RemoteStore:
    return RemoteStore(STORE)


def _answering(data: bytes) -> RemoteStore:
    """The store, whose next answer is `data`: a whole one, or a status, a Retry-After and the rest in three lines."""
    if not data.startswith(b"HTTP"):
        status, retry, body = (*data.split(b"\n", 2), b"", b"")[:3]
        data = b"HTTP/1.1 %s x\r\nRetry-After: %s\r\nConnection: close\r\n\r\n%s" % (status, retry, body)
    transport = httpx.AsyncHTTPTransport(verify=False)
    transport._pool = httpcore.AsyncConnectionPool(network_backend=httpcore.AsyncMockBackend([data]))
    _store()._client = httpx.AsyncClient(transport=transport, auth=(STORE.user, SECRET), trust_env=False, timeout=None)
    return _store()


def _plain(said: str) -> str:
    must(SECRET not in said and "\0" not in said and "\n" not in said, "words that nobody may see, or cannot")
    return said


def read_answer(data: bytes) -> str:
    """An answer to samples is taken, refused for good, or tried again within the hour; and told in one plain line."""
    store = _answering(data)
    try:
        answer = _loop().run_until_complete(store.push(b"samples"))
    except ChannelUnavailable as error:
        must(bool(_plain(str(error))), "no answer without a reason")
        return "no answer"
    must(len(_plain(answer.said)) <= SAID_MAX_CHARS, "more than fits a line")
    must(0.0 <= answer.retry_after_s <= RETRY_AFTER_MAX_S, "a time to wait that nobody waits")
    must(not (answer.taken and answer.refused), "taken and refused")
    must(bool(_plain(store.refusal(answer))), "no advice")
    return "taken" if answer.taken else "refused" if answer.refused else "again"


def read_curves(data: bytes) -> str:
    """What a chart is drawn from is of series that an agent told, within the time that was asked for, and in order."""
    store = _answering(data)
    try:
        found = _loop().run_until_complete(store.curves("x", start_s=0.0, end_s=60.0, step_s=15.0))
    except ChannelUnavailable as error:
        must(bool(_plain(str(error))), "no answer without a reason")
        return "no answer"
    for high in (found, [Curve(one.labels, one.times_ms, one.values + 1) for one in found]):
        asked = Asked("cpu_busy_ratio", 60_000, found, high)
        drawn = list(remote_read._tracks([asked], TOLD, {}, since_ns=SINCE_NS, end_ns=END_NS))
        for track in drawn:
            must(track.agent_id in TOLD and track.series in TOLD[track.agent_id], "a series that nobody told")
            must(bool(((track.times >= SINCE_NS) & (track.times < END_NS)).all()), "a time that nobody asked for")
            must(
                bool((np.diff(track.times) >= 0).all()) and not np.isnan(track.values).any(), "out of order, or nothing"
            )
    return f"{min(len(drawn), 3)} of {min(len(found), 3)} drawn"


def _matrix(*values: str, labels: str = '"agent":"a1"') -> bytes:
    told = ",".join(f'[{NOON // 1_000_000_000 + 60 * place},"{value}"]' for place, value in enumerate(values))
    result = f'{{"metric":{{"__name__":"cpu_busy_ratio",{labels}}},"values":[{told}]}}'
    return f'200\n\n{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}'.encode()


TARGETS = (
    Target(
        "answer to samples",
        (
            b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 26\r\n\r\nout of order sample hunter2",
            b"500\n\ntoo old sample, for hunter2",
            b"429\n30\n",
            b"503\nTue, 24 Nov 2026 12:00:30 GMT\nbusy",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
        ),
        read_answer,
        sample=150,
    ),
    Target(
        "curves of a store",
        (
            _matrix("0.5", "1", "NaN", "+Inf", "1e-3"),
            _matrix("0.5", labels='"agent":"a1","core":"0"'),
            _matrix("0.5", labels='"agent":"nobody"'),
            b'200\n\n{"status":"error","errorType":"bad_data","error":"parse error"}',
            b'200\n\n{"status":"success","data":{"result":[{"metric":{},"values":[[1e18,"1"],[-5,"2"]]}]}}',
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        ),
        read_curves,
        sample=150,
    ),
)
