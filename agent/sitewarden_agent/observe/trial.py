"""A configuration from headquarters on its way: received, on trial, good; or back to the last good one, and why.

Promises: at every start exactly one configuration runs, and one that cannot be used, or that the local file does not
allow any more, never keeps the agent from starting. A document counts as good only after a whole window in one process.
A process that ends within the window without having been told to stop was killed by its configuration, unless the host
went down with it; then it is tried again, a few times. What headquarters is to be told is written together with what
became of the document, so that a kill in between changes neither. Not here: time passing, the spool (`jobs.remote`).
"""

from __future__ import annotations

import collections
import contextlib
import faulthandler
import logging
import traceback
from collections.abc import Iterable, Sequence
from typing import TextIO

from msgspec.structs import replace

from sitewarden_agent.config import Config, remote
from sitewarden_agent.config.kept import Document, Kept, LastGood, Owed, Received, Running, Trial
from sitewarden_agent.model import ConfigOffer, OutcomeState

STARTS_MAX = 3
"""How often the host may go down during a trial before the document counts as bad all the same."""
TAIL_CHARACTERS = 4_000
LOG_MAX_BYTES = 64 * 1024
WHY_MAX = 2_000

log = logging.getLogger("sitewarden.remote_config")


class Configured:
    """The configuration of this process. Make one with `begin`."""

    def __init__(self, local: Config, kept: Kept) -> None:
        self.local = local
        self.config = local
        """What runs."""
        self.complaint = ""
        """Why it is not what headquarters wanted last, where that is worth saying for long."""
        self.on_trial = False
        self._kept = kept
        self._running = Running()
        self._log: _TrialLog | None = None

    @classmethod
    def begin(cls, local: Config, *, boot_id: str, kept: Kept | None = None) -> Configured:
        """What to run with now; counts this start. Raises nothing on account of what headquarters sent."""
        self = cls(local, kept or Kept(local.state_dir))
        try:
            self._begin(boot_id)
        except Exception as error:  # noqa: BLE001 - the local file alone always works
            self.config, self.on_trial = local, False
            self.complaint = f"the local file runs alone: what headquarters configured cannot be used ({error})"
        return self

    @property
    def document(self) -> Document | None:
        """The one that runs, if the local file does not run alone."""
        return None if self._running.withdrawn else self._running.document

    @property
    def owed(self) -> tuple[Owed, ...]:
        return self._running.owed

    @property
    def first_start(self) -> bool:
        """Whether nobody tried this document before this process."""
        return self._running.trial is not None and self._running.trial.starts == 1

    # At the start.

    def _begin(self, boot_id: str) -> None:
        running = self._kept.read(Running)
        if running is None:  # never was, or is damaged
            good = self._kept.read(LastGood)
            running = Running(None if good is None else good.document)
        self._running = running
        if running.trial is not None and (why := _killed(running.trial, boot_id)):
            self.failed(why)
        if self._running.document is None:
            return
        merged = _merged(self.local, self._running.document.text)
        trial = self._running.trial
        if isinstance(merged, Config):
            if trial is not None:
                started = replace(trial, starts=trial.starts + 1, ended_well=False, boot_id=boot_id)
                self._write(replace(self._running, trial=started))
                self._log = _TrialLog(self._kept.log(anew=trial.starts == 0))
                self.on_trial = True
            elif self._running.withdrawn:
                self._withdraw(False, OutcomeState.DONE, "the local file allows it again: applied")
            self.config = merged
        elif trial is not None:
            self._back(Owed(self._running.document.action_id, OutcomeState.REFUSED, said(merged)))
            self._begin(boot_id)  # the last good one is never on trial
        else:
            why = f"not applied any more, the local file alone runs:\n{said(merged)}"
            if not self._running.withdrawn:
                self._withdraw(True, OutcomeState.REFUSED, why)
            self.complaint = f"version {self._running.document.version} from headquarters is {why}"

    def _withdraw(self, withdrawn: bool, state: OutcomeState, why: str) -> None:
        action_id = "" if self._running.document is None else self._running.document.action_id
        owed = Owed(action_id, state, why, settles=False)
        self._write(replace(self._running, withdrawn=withdrawn, owed=(*self._running.owed, owed)))

    # What headquarters wants.

    def received(self, offer: ConfigOffer, *, complaints: Iterable[str]) -> bool:
        """Take up what headquarters wants; True when the process has to start anew for it. Raises OSError.

        What became of it otherwise is in `owed`.
        """
        document = Document(offer.action_id, offer.version, offer.text)
        known = self._running.document
        if self.on_trial or (known is not None and known.action_id == offer.action_id):
            return False  # it is on its way, or its outcome is owed
        if any(owed.action_id == offer.action_id for owed in self.owed):
            return False
        self._kept.write(Received(document))
        merged = _merged(self.local, offer.text)
        if not isinstance(merged, Config):
            refused = Owed(offer.action_id, OutcomeState.REFUSED, said(merged))
            self._write(replace(self._running, owed=(*self.owed, refused)))
            return False
        if merged == self.config:  # nothing would change, so there is nothing to try
            done = Owed(offer.action_id, OutcomeState.DONE, f"version {offer.version} is applied already")
            self._write(Running(document, None, (*self.owed, done)))
            self._kept.write(LastGood(document))
            return False
        self._kept.write(LastGood(known))  # what runs now is good; said again before it stops running
        self._write(Running(document, Trial(complaints=tuple(complaints)), self.owed))
        return True

    # Its trial.

    def new_complaints(self, complaints: Iterable[str]) -> list[str]:
        """What was not wrong before the trial. Numbers do not count: how many files it concerns may have changed."""
        known = set() if self._running.trial is None else {_numberless(each) for each in self._running.trial.complaints}
        return [each for each in complaints if _numberless(each) not in known]

    def passed(self) -> None:
        """The window is over and all was well. Raises OSError."""
        document = self._running.document
        if document is None or not self.on_trial:
            return
        done = Owed(document.action_id, OutcomeState.DONE, f"version {document.version} is applied")
        self._write(Running(document, None, (*self.owed, done)))
        self._kept.write(LastGood(document))
        self._end_trial()

    def failed(self, why: str) -> None:
        """It did not run well: the last good one is next. Raises OSError."""
        document = self._running.document
        if document is not None and self._running.trial is not None:
            log.warning("version %d from headquarters is taken back: %s", document.version, why)
            self._back(Owed(document.action_id, OutcomeState.FAILED, why[:WHY_MAX]))
        self._end_trial()

    def broke(self, error: Exception) -> bool:
        """The process ends with this error; True when that was on trial, and the last good one is next."""
        if not self.on_trial:
            return False
        try:
            log.error("".join(traceback.format_exception(error)))
            self.failed(f"{type(error).__name__}: {error}")
        except OSError:
            return False
        return True

    def ended_well(self) -> None:
        """The process was told to stop: a trial that is not over goes on with the next."""
        trial = self._running.trial
        if self.on_trial and trial is not None:
            with contextlib.suppress(OSError):
                self._write(replace(self._running, trial=replace(trial, starts=0, ended_well=True)))
        self._end_trial()

    def settled(self, owed: Owed) -> None:
        """Headquarters will hear of it. Raises OSError."""
        self._write(replace(self._running, owed=tuple(each for each in self.owed if each != owed)))

    def tail(self) -> str:
        """The end of the log of the last trial."""
        return self._kept.log_tail(TAIL_CHARACTERS)

    def _back(self, owed: Owed) -> None:
        good = self._kept.read(LastGood)
        self._write(Running(None if good is None else good.document, None, (*self.owed, owed)))

    def _write(self, running: Running) -> None:
        self._kept.write(running)
        self._running = running

    def _end_trial(self) -> None:
        self.on_trial = False
        if self._log is not None:
            self._log.close()
            self._log = None


def said(refused: Sequence[remote.Refusal]) -> str:
    """A line each key."""
    return "\n".join(map(str, refused))


def _merged(local: Config, text: str) -> Config | tuple[remote.Refusal, ...]:
    document = remote.read(text)
    return document if isinstance(document, tuple) else remote.merge(local, document)


def _killed(trial: Trial, boot_id: str) -> str:
    """Why the processes that tried it so far show that it is bad; empty when they do not."""
    if trial.ended_well:
        return ""
    if trial.boot_id == boot_id:
        return "the agent ended without having been told to, before it had run long enough with this configuration"
    return f"the host went down {trial.starts} times during the trial" if trial.starts >= STARTS_MAX else ""


def _numberless(text: str) -> str:
    return "".join("#" if sign.isdigit() else sign for sign in text)


class _TrialLog(logging.Handler):
    """Keeps the end of this program's log, also of a crash, in a file that outlives the process."""

    def __init__(self, file: TextIO) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._lines: collections.deque[str] = collections.deque(maxlen=100)
        self._file = file
        self._crashes = not faulthandler.is_enabled()
        if self._crashes:
            faulthandler.enable(self._file, all_threads=False)
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)[:TAIL_CHARACTERS] + "\n"
            self._lines.append(line)
            if self._file.tell() > LOG_MAX_BYTES:
                self._file.truncate(0)
                line = "".join(self._lines)[-TAIL_CHARACTERS:]
            self._file.write(line)
            self._file.flush()
        except (OSError, ValueError):
            self.handleError(record)

    def close(self) -> None:
        logging.getLogger().removeHandler(self)
        if self._crashes:
            faulthandler.disable()
        with contextlib.suppress(OSError):
            self._file.close()
        super().close()
