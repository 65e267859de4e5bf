"""One run of chance: a world, some hundred things that happen to it, peace at the end, and the judge."""

from __future__ import annotations

from tests.cast import HOUR, MINUTE, SECOND
from tests.faults_oncall.world import CHANNELS, World

EVENTS = ("open", "open", "time", "time", "time", "ack", "kill", "jump", "channel", "storm", "race")


async def trial(url: str, seed: int, *, events: int = 30, peace_minutes: int = 120) -> World:
    """Let chance happen `events` times; the world afterwards, at peace."""
    world = World(url, seed)
    chance = world.chance
    for _ in range(events):
        match chance.choice(EVENTS):
            case "open":
                world.open_tickets(chance.randint(1, 3))
            case "time":
                world.now += round(chance.uniform(0, 8 * 60) * SECOND)
            case "ack" if world.paged:
                world.acknowledge(chance.choice(world.paged))
            case "kill":
                world.die_at(chance.randint(1, 6), after=chance.random() < 0.5)
            case "jump":
                world.now += chance.choice((-6 * HOUR, -20 * MINUTE, -MINUTE, HOUR, 6 * HOUR))
            case "channel":
                how = chance.choice(("rejects", "unavailable", "alive"))
                world.dead[chance.choice(CHANNELS)] = how
            case "race":  # somebody is quicker than the telephone
                world.open_tickets()
                world.acknowledge(world.paged[-1])
            case "storm":
                world.open_tickets(chance.randint(5, 12))
        await world.run()
    await world.calm_down(minutes=peace_minutes)
    return world
