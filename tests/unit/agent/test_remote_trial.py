"""A configuration from headquarters on its way: on trial, good, or back; whatever is killed in between."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sitewarden_agent import config as configuration
from sitewarden_agent.config import Config
from sitewarden_agent.config.kept import Kept, LastGood, Received, Running
from sitewarden_agent.model import ConfigOffer
from sitewarden_agent.observe.trial import STARTS_MAX, Configured

BOOT, OTHER_BOOT = "a" * 32, "b" * 32
GOOD = ConfigOffer("00000000-0000-7000-8000-000000000001", 1, "[health]\ninterval_s = 20.0\n")
NEXT = ConfigOffer("00000000-0000-7000-8000-000000000002", 2, "[health]\ninterval_s = 30.0\n")


@pytest.fixture
def local(tmp_path: Path) -> Config:
    return configured(tmp_path, "health.interval")


def configured(folder: Path, *allow: str) -> Config:
    entries = ", ".join(f'"{entry}"' for entry in allow)
    text = f'state_dir = "{folder}"\n[remote_config]\nallow = [{entries}]\n'
    return configuration.parse(text, folder / "agent.toml")


def begin(local: Config, boot_id: str = BOOT) -> Configured:
    return Configured.begin(local, boot_id=boot_id)


def apply(local: Config, offer: ConfigOffer) -> Configured:
    """Two lives of the process: the first takes it up, the second finds it good."""
    assert begin(local).received(offer, complaints=())
    second = begin(local)
    assert second.on_trial
    second.passed()
    pay(second)
    return second


def pay(one: Configured) -> list[tuple[str, str]]:
    """What headquarters is told: states and details."""
    told = [(owed.state.value, owed.detail) for owed in one.owed]
    for owed in one.owed:
        one.settled(owed)
    return told


def test_nothing_from_headquarters_is_the_local_file(local: Config) -> None:
    one = begin(local)
    assert (one.config, one.on_trial, one.document, one.owed) == (local, False, None, ())


def test_it_runs_only_from_the_next_start_and_is_good_after_the_window(local: Config) -> None:
    one = begin(local)
    assert one.received(GOOD, complaints=())
    assert one.config == local
    two = begin(local)
    assert (two.on_trial, two.first_start, two.config.health.interval_s) == (True, True, 20.0)
    two.passed()
    assert pay(two) == [("done", "version 1 is applied")]
    three = begin(local)
    assert (three.on_trial, three.config.health.interval_s, three.owed) == (False, 20.0, ())


def test_one_that_is_refused_changes_nothing_and_says_every_key(local: Config) -> None:
    one = begin(local)
    offer = ConfigOffer(GOOD.action_id, 1, '[health]\ninterval_s = 20.0\ndisks = ["/"]\nx = 1\n')
    assert not one.received(offer, complaints=())
    ((state, detail),) = pay(one)
    assert state == "refused"
    assert [line.partition(":")[0] for line in detail.splitlines()] == ["health.disks", "health.x"]
    assert begin(local).config == local


def test_one_that_changes_nothing_is_applied_without_a_new_start(local: Config) -> None:
    apply(local, GOOD)
    one = begin(local)
    assert not one.received(ConfigOffer(NEXT.action_id, 2, f"# the same\n{GOOD.text}"), complaints=())
    assert pay(one) == [("done", "version 2 is applied already")]
    assert begin(local).config.health.interval_s == 20.0


def test_a_process_that_ends_within_the_window_takes_it_back_to_the_last_good_one(local: Config) -> None:
    apply(local, GOOD)
    assert begin(local).received(NEXT, complaints=())
    assert begin(local).config.health.interval_s == 30.0  # and it is killed
    after = begin(local)
    assert (after.on_trial, after.config.health.interval_s) == (False, 20.0)
    ((state, detail),) = pay(after)
    assert state == "failed"
    assert "ended without having been told to" in detail
    assert begin(local).owed == ()


def test_without_a_good_one_before_it_goes_back_to_the_local_file(local: Config) -> None:
    assert begin(local).received(GOOD, complaints=())
    begin(local)
    after = begin(local)
    assert (after.config, after.document) == (local, None)
    assert [state for state, _ in pay(after)] == ["failed"]


def test_a_stop_in_the_window_is_nobodys_fault(local: Config) -> None:
    assert begin(local).received(GOOD, complaints=())
    for _ in range(5):
        one = begin(local)
        assert one.on_trial
        one.ended_well()
    last = begin(local)
    last.passed()
    assert [state for state, _ in pay(last)] == ["done"]


def test_a_host_that_goes_down_in_the_window_tries_again_but_not_for_ever(local: Config) -> None:
    assert begin(local).received(GOOD, complaints=())
    for boot in range(STARTS_MAX):
        assert begin(local, f"{boot:032x}").on_trial
    after = begin(local, OTHER_BOOT)
    assert not after.on_trial
    assert pay(after)[0][0] == "failed"


def test_an_error_that_ends_the_process_takes_it_back_with_the_end_of_the_log(local: Config) -> None:
    assert begin(local).received(GOOD, complaints=())
    one = begin(local)
    logging.getLogger("sitewarden.test").warning("something is odd")
    assert one.broke(ValueError("the sky fell"))
    (owed,) = one.owed
    assert (owed.state.value, owed.detail) == ("failed", "ValueError: the sky fell")
    after = begin(local)
    assert after.config == local
    assert "something is odd" in after.tail()
    assert "the sky fell" in after.tail()
    assert not after.broke(ValueError("nothing is on trial"))


def test_what_was_wrong_before_is_not_held_against_it(local: Config) -> None:
    assert begin(local).received(GOOD, complaints=["12 files match; only 10 are read"])
    one = begin(local)
    assert one.new_complaints(["13 files match; only 10 are read"]) == []
    assert one.new_complaints(["13 files match; only 10 are read", "x: denied"]) == ["x: denied"]


def test_what_the_local_file_does_not_allow_any_more_is_not_applied_and_comes_back_with_it(
    local: Config, tmp_path: Path
) -> None:
    apply(local, GOOD)
    strict = configured(tmp_path)
    one = begin(strict)
    assert (one.config, one.document) == (strict, None)
    assert "health.interval" in one.complaint
    assert [state for state, _ in pay(one)] == ["refused"]
    assert begin(strict).owed == (), "it is told once"
    again = begin(local)
    assert again.config.health.interval_s == 20.0
    assert [state for state, _ in pay(again)] == ["done"]


def test_one_on_trial_that_the_local_file_stops_allowing_is_refused(local: Config, tmp_path: Path) -> None:
    apply(local, GOOD)
    assert begin(local).received(NEXT, complaints=())
    one = begin(configured(tmp_path))
    assert not one.on_trial
    assert [state for state, _ in pay(one)] == ["refused", "refused"]  # the new one, and the good one before it
    assert begin(local).config.health.interval_s == 20.0


def test_one_that_comes_during_a_trial_waits(local: Config) -> None:
    assert begin(local).received(GOOD, complaints=())
    one = begin(local)
    assert not one.received(NEXT, complaints=())
    one.passed()
    assert one.received(NEXT, complaints=())


@pytest.mark.parametrize("name", ["running.json", "received.json", "last_good.json"])
def test_a_damaged_file_never_keeps_the_agent_from_starting(local: Config, name: str) -> None:
    apply(local, GOOD)
    path = local.state_dir / "remote_config" / name
    whole = path.read_bytes()
    for damage in (b"", whole[:-1], b"\xff" * 100, b"0" * 64 + b"\n{}", b"\n" * 10):
        path.write_bytes(damage)
        assert begin(local).config.health.interval_s == 20.0
    path.unlink()
    assert begin(local).config.health.interval_s == 20.0


def test_a_folder_that_cannot_be_written_never_keeps_the_agent_from_starting(local: Config) -> None:
    assert begin(local).received(GOOD, complaints=())

    def full(step: str) -> None:
        raise OSError(28, "No space left on device")

    one = Configured.begin(local, boot_id=BOOT, kept=Kept(local.state_dir, step=full))
    assert (one.config, one.on_trial) == (local, False)
    assert "No space left" in one.complaint
    assert begin(local).on_trial, "it was not counted against it"


def test_nothing_is_read_told_or_written_through_a_link(local: Config, tmp_path: Path) -> None:
    """The other process may be in the wrong hands, and can write in the state folder."""
    product = tmp_path / "product.conf"
    product.write_text("the customer's own")
    assert begin(local).received(GOOD, complaints=())
    one = begin(local)
    log = local.state_dir / "remote_config" / "trial.log"
    log.unlink()
    log.symlink_to(product)
    one.failed("over")
    assert one.tail() == ""
    log.unlink()
    os.mkfifo(log)
    assert one.tail() == ""
    log.unlink()
    log.symlink_to(product)
    assert begin(local).received(NEXT, complaints=())
    two = begin(local)  # begins its log anew, in a file of its own
    logging.getLogger("sitewarden.test").warning("on trial")
    two.failed("over")
    assert product.read_text() == "the customer's own"
    elsewhere = tmp_path / "elsewhere"
    (local.state_dir / "remote_config").rename(elsewhere)
    (local.state_dir / "remote_config").symlink_to(elsewhere)
    assert begin(local).config == local
    assert begin(local).tail() == ""
    with pytest.raises(OSError, match="remote_config"):
        begin(local).received(GOOD, complaints=())


class Killed(BaseException):
    pass


def a_life(local: Config, kill_at: int, work: Callable[[Configured], object]) -> bool:
    """One process that is killed before its n-th step; True when it got to its end."""
    steps = 0

    def step(name: str) -> None:
        nonlocal steps
        steps += 1
        if steps == kill_at:
            raise Killed(name)

    try:
        work(Configured.begin(local, boot_id=BOOT, kept=Kept(local.state_dir, step=step)))
    except Killed:
        return False
    return True


def test_a_kill_at_any_step_of_taking_it_up_leaves_the_old_or_the_new_and_is_taken_up_again(local: Config) -> None:
    apply(local, GOOD)
    done, kill_at = False, 0
    while not done:
        kill_at += 1
        done = a_life(local, kill_at, lambda one: one.received(NEXT, complaints=()))
        kept = Kept(local.state_dir)
        running, good = kept.read(Running), kept.read(LastGood)
        assert running is not None
        assert running.document is not None
        assert good is not None
        assert good.document is not None
        assert good.document.version == 1
        if running.trial is None:
            assert running.document.version == 1
            assert begin(local).received(NEXT, complaints=()), "headquarters' offer is still on the desk"
        assert kept.read(Received) is not None
        taken = begin(local)
        assert (taken.on_trial, taken.config.health.interval_s) == (True, 30.0)
        taken.failed("start over")
        pay(taken)
        assert begin(local).config.health.interval_s == 20.0
    assert kill_at > 9


def test_a_kill_at_any_step_of_the_end_of_the_window_tells_one_truth(local: Config) -> None:
    apply(local, GOOD)
    done, kill_at = False, 0
    while not done:
        kill_at += 1
        offer = ConfigOffer(f"00000000-0000-7000-9000-{kill_at:012}", 2, NEXT.text)
        assert begin(local).received(offer, complaints=())
        begin(local).ended_well()  # so that only the kill below counts
        done = a_life(local, kill_at, lambda one: one.passed())
        after = begin(local)
        if after.on_trial:  # killed before its start was counted
            after.failed("start over")
        ((state, _),) = pay(after)
        assert (state, begin(local).config.health.interval_s) in (("done", 30.0), ("failed", 20.0)), kill_at
        if state == "done":
            apply(local, ConfigOffer(f"00000000-0000-7000-8000-{kill_at + 9:012}", 3, GOOD.text))
        assert begin(local).config.health.interval_s == 20.0
    assert kill_at > 6
