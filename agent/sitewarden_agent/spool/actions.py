"""The part of `Spool` that is about actions from headquarters: done once, outcomes reported as often as asked.

Each method that writes is one transaction. Not here: doing any of it.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from sitewarden_agent.clock import Clock
from sitewarden_agent.model import ConfigOffer, Outcome, OutcomeState, SiteNotice
from sitewarden_agent.spool import desk
from sitewarden_agent.spool.bell import Bell
from sitewarden_agent.spool.books import Books


class ActionsHere(ABC):
    """What it needs of the spool, and what it adds to it."""

    bell: Bell
    _books: Books
    _clock: Clock

    @abstractmethod
    def _reading(self) -> AbstractContextManager[sqlite3.Connection]: ...

    @abstractmethod
    def _writing(self, step: str) -> AbstractContextManager[sqlite3.Connection]: ...

    def begin_action(self, action_id: str) -> bool:
        """Remember durably that this action begins. False when it began before: its outcome is reported again then.

        One that began and has no outcome was cut short by a stop of the agent; it is reported as failed, not repeated.
        """
        with self._writing("begin_action") as tx:
            known = desk.begin(tx, action_id, wall_ns=self._clock.wall_ns())
            if known is None:
                return True
            outcome = known.outcome or Outcome(
                action_id, OutcomeState.FAILED, "the agent stopped while this was being done; it is not repeated"
            )
            self._books.settle(outcome)
        self.bell.ring()
        return False

    def finish_action(self, outcome: Outcome) -> None:
        """Store the outcome of an action and report it, once and for all: a later, other outcome changes nothing."""
        with self._writing("finish_action") as tx:
            known = desk.begin(tx, outcome.action_id, wall_ns=self._clock.wall_ns())
            self._books.settle(outcome if known is None or known.outcome is None else known.outcome)
        self.bell.ring()

    def add_notice(self, notice: SiteNotice, *, outcome: Outcome) -> bool:
        """Keep a notice for the site and report its outcome, in one transaction. False when it was here before."""
        with self._writing("add_notice") as tx:
            known = desk.begin(tx, notice.action_id, wall_ns=self._clock.wall_ns())
            settled = known.outcome if known is not None else None
            if settled is None:
                desk.put_notice(tx, notice)
            self._books.settle(settled or outcome)
        self.bell.ring()
        return settled is None

    def notices(self) -> tuple[SiteNotice, ...]:
        """What headquarters told this site, oldest first."""
        with self._reading() as tx:
            return desk.notices(tx)

    def offer_config(self, offer: ConfigOffer) -> None:
        """Keep what headquarters wants here, in place of what it wanted before, and report that it came.

        One that has its outcome is not kept again: that outcome is reported again.
        """
        with self._writing("offer_config") as tx:
            known = desk.begin(tx, offer.action_id, wall_ns=self._clock.wall_ns())
            if known is not None and known.outcome is not None:
                self._books.settle(known.outcome)
            else:
                desk.set_offer(tx, offer)
                if known is None:
                    self._books.report(Outcome(offer.action_id, OutcomeState.RECEIVED))
        self.bell.ring()

    def offered_config(self) -> ConfigOffer | None:
        """What headquarters wants here and has no outcome yet."""
        with self._reading() as tx:
            return desk.offer(tx)
