"""The agents of the benchmark of streams, in a process of their own, whose processor is not counted.

`python -m tests.bench.streams_crowd FILE ADDRESS` reads identities from FILE (`streams` wrote them), connects
them and then does what it is told, a word a line, each answered by a line of JSON: `count` and `report`,
`send` and `rest` let batches flow or not, `beat` and `hush` heartbeats, `forget` drops what was counted, `end` ends it.
How late this process itself was is reported as well: no time that it measures means less than that.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import resource
import sys
import time
from pathlib import Path
from typing import Any

import grpc.aio

from sitewarden_collector.simulate.agent import SimulatedAgent
from sitewarden_collector.simulate.load import Load
from sitewarden_collector.simulate.scenario import Scenario

LOOK_S = 0.02


async def crowd(file: Path, address: str) -> None:
    root_pem, plan, parts, packed = pickle.loads(file.read_bytes())
    assert isinstance(plan, Scenario)
    load = Load(plan.series, plan.ticks, seed=plan.seed)
    agents = [
        SimulatedAgent(part, plan, load, one, address=address, root_pem=root_pem)
        for part, one in zip(parts, packed, strict=True)
    ]
    for agent in agents:
        agent.sending.clear()
    running = [asyncio.ensure_future(agent.run()) for agent in agents]
    late_ms: list[float] = []
    running.append(asyncio.ensure_future(_watch(late_ms)))
    loop = asyncio.get_running_loop()
    while (word := (await loop.run_in_executor(None, sys.stdin.readline)).strip()) not in ("", "end"):
        for agent in agents:
            match word:
                case "send":
                    agent.sending.set()
                case "rest":
                    agent.sending.clear()
                case "beat" | "hush":
                    agent.beating = word == "beat"
                case "forget":
                    agent.counts.forget()
        if word == "forget":
            late_ms.clear()
        told = report(agents) | {"late_ms": sorted(late_ms)} if word == "report" else count(agents)
        print(json.dumps(told), flush=True)
    for task in running:
        task.cancel()


async def _watch(late_ms: list[float]) -> None:
    """Note how much later than asked a task goes on here."""
    while True:
        due_s = time.monotonic() + LOOK_S
        await asyncio.sleep(LOOK_S)
        late_ms.append(1000 * (time.monotonic() - due_s))


def count(agents: list[SimulatedAgent]) -> dict[str, Any]:
    """How many are connected, and when the first and the last of them was. Times are monotonic seconds, which all
    processes of a machine share."""
    here = [agent.counts.whole_s for agent in agents if agent.here]
    return {"here": len(here), "first_s": min(here, default=0.0), "last_s": max(here, default=0.0)}


def report(agents: list[SimulatedAgent]) -> dict[str, Any]:
    """That, and what became of them since they forgot."""
    turned_away: dict[str, int] = {}
    for agent in agents:
        for reason, times in agent.counts.turned_away.items():
            turned_away[reason] = turned_away.get(reason, 0) + times
    return count(agents) | {
        "turned_away": turned_away,
        "lost": sum(agent.counts.lost for agent in agents),
        "ack_ms": sorted(1000 * took_s for agent in agents for took_s in agent.counts.ack_s),
        "beat_ms": sorted(1000 * took_s for agent in agents for took_s in agent.counts.heartbeat_s),
        "sent": sum(agent.counts.sent for agent in agents),
        "processor_s": time.process_time(),
    }


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    grpc.aio.init_grpc_aio()
    asyncio.run(crowd(Path(sys.argv[1]), sys.argv[2]))


if __name__ == "__main__":
    main()
