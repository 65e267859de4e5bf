"""The agent's spool: everything that waits for headquarters, in one SQLite file that observe and link share.

It promises: what `append` returned for is on the disk; a sealed batch never changes; what was acknowledged stays for a
day, so that headquarters may lose a day and get it back; what had to be given up is told as a gap. It never grows past
its limits, and a full or damaged spool is a state with a message, not a crash.

    words     the values that go in and come out, and SpoolFull
    spool     `Spool`: the one class, each method one transaction
    books     what every transaction keeps straight: time, level, gaps, age
    file      opening, the tables, the transaction, setting a damaged file aside
    rows      what waits, by class: insert, count, give up, seal from
    room      how full it is and what goes first
    batches   numbered batches: seal, acknowledge, seek, park
    desk      marks, notes, watch levels, actions and notices
    tally     what came, went and was given up, by day and kind
    outbox    the very records, for the customer's eyes
    age       how old a row is, on hosts whose clock jumps
    bell      observe rings, link wakes

Not here: the wire (link), what is worth keeping (observe), any clock or limit of its own.
"""

from __future__ import annotations

from sitewarden_agent.spool.bell import Bell
from sitewarden_agent.spool.spool import Spool
from sitewarden_agent.spool.words import Resume, Sealed, SpoolFull, SpoolLimits, SpoolState, WatchLevel

__all__ = ["Bell", "Resume", "Sealed", "Spool", "SpoolFull", "SpoolLimits", "SpoolState", "WatchLevel"]
