"""Merges are learned from evidence, explained, undoable, and never against meaning or against an engineer."""

import json
import tomllib
from pathlib import Path

import pytest

from sitewarden_alerting import fingerprint, grouping
from sitewarden_alerting.grouping import Alias, Grouping, Observed, evidence
from sitewarden_alerting.reading.severity import Severity
from tests.bench import grouping as bench
from tests.data.logs import labels

NAMES = ["alice", "bob", "carol", "dmitri", "eve", "fatima", "george", "heidi", "ivan", "judy", "karl", "lena"]


def see(state: Grouping, message: str, *, severity: Severity = Severity.ERROR) -> tuple[str, Observed]:
    made = fingerprint.of(message)
    return made.id, grouping.observe(state, made.id, made.template, severity=severity)


def faults(state: Grouping, messages: list[str], *, severity: Severity = Severity.ERROR) -> list[str]:
    """The faults of the messages after all of them were seen."""
    ids = [see(state, message, severity=severity)[0] for message in messages]
    return [grouping.fault_of(state, each) for each in ids]


def orders(names: list[str]) -> list[str]:
    return [f"the order of {name} could not be stored in the archive" for name in names]


def test_a_place_that_takes_many_names_is_one_fault() -> None:
    assert len(set(faults(Grouping(), orders(NAMES)))) == 1


def test_few_names_prove_nothing_yet() -> None:
    assert len(set(faults(Grouping(), orders(NAMES[:3])))) == 3


def test_identifiers_are_believed_sooner_than_words() -> None:
    for ids in (["an8", "bn8"], ["Store_A8", "Store_B8", "Store_C8", "Store_D8"]):
        messages = [f"data source {each} of the cluster gives no answer" for each in ids]
        assert len(set(faults(Grouping(), messages))) == 1


def test_a_place_that_is_masked_in_a_sibling_is_a_variable() -> None:
    messages = ["cannot load program /opt/a/b of the job", "cannot load program IMB-perf of the job"]
    assert len(set(faults(Grouping(), messages))) == 1


def test_a_place_goes_on_to_be_a_variable_after_more_values_than_are_remembered() -> None:
    names = [f"lib{first}{second}-doc" for first in "abcdefghij" for second in "klmnopqrst"]
    assert len(names) > grouping.MAX_VALUES
    assert len(set(faults(Grouping(), [f"package {name} is configured now" for name in names]))) == 1


def test_what_reads_the_same_once_the_place_is_open_is_one_fault() -> None:
    named = [f"status unpacked lib{letter}-doc:all 1.2" for letter in "abcdefghijkl"]
    masked = ["status unpacked /var/cache/a 1.2", "status unpacked /var/cache/b 1.3"]
    for messages in (named + masked, masked + named):
        assert len(set(faults(Grouping(), messages))) == 1


def test_names_that_one_place_proved_are_believed_in_another() -> None:
    state = Grouping()
    faults(state, orders(NAMES))
    sessions = [f"session of {name} expired too early" for name in NAMES[:4]]
    assert len(set(faults(state, sessions))) == 1
    assert len(set(faults(Grouping(), sessions))) == 4


@pytest.mark.parametrize(
    "messages",
    [
        ["the connection to the archive was opened", "the connection to the archive was closed"],
        [f"the state of the service in the cluster is {word}" for word in ("up", "down", "lost", "dead", "running")],
        [f'the client sent "{verb} /a/b HTTP/1.1" to the wrong server' for verb in ("GET", "POST", "PUT", "HEAD")],
        [f"the job ended with java.{kind}Exception in the first step" for kind in ("Io", "Null", "State", "Type")],
        ["starts", "stops", "reloads", "rotates", "compacts", "flushes"],
    ],
)
def test_words_that_carry_the_meaning_are_never_values(messages: list[str]) -> None:
    assert len(set(faults(Grouping(), messages))) == len(messages)


def test_templates_of_different_severities_are_never_merged() -> None:
    state = Grouping()
    errors = faults(state, orders(NAMES[:6]), severity=Severity.ERROR)
    infos = faults(state, orders(NAMES[6:]), severity=Severity.INFO)
    assert not set(errors) & set(infos)


def test_traces_of_different_exceptions_or_places_are_never_merged() -> None:
    def trace(name: str, kind: str, frame: str) -> str:
        return f"the order of {name} failed\njava.io.{kind}: refused\n\tat com.acme.{frame}(A.java:1)"

    state = Grouping()
    io = faults(state, [trace(name, "IOException", "Net.open") for name in NAMES])
    eof = faults(state, [trace(name, "EOFException", "Net.open") for name in NAMES])
    other = faults(state, [trace(name, "IOException", "Disk.open") for name in NAMES])
    assert [len(set(each)) for each in (io, eof, other)] == [1, 1, 1]
    assert len({io[0], eof[0], other[0]}) == 3


def test_the_oldest_fault_survives_and_the_aliases_say_why() -> None:
    state = Grouping()
    seen = [see(state, message) for message in orders(NAMES)]
    oldest = seen[0][0]
    aliases = [alias for _, observed in seen for alias in observed.aliases]
    assert {alias.fault for alias in aliases} == {oldest}
    assert {alias.fingerprint for alias in aliases} == {each for each, _ in seen[1:]}
    reason = aliases[0].reason
    assert "the order of alice could not be stored" in reason
    assert "differ only in one place, which took" in reason
    assert grouping.explain(state, seen[5][0])[0].by == grouping.LEARNED


def test_the_template_of_a_fault_shows_the_place_as_open() -> None:
    state = Grouping()
    fault = faults(state, orders(NAMES))[0]
    assert grouping.template_of(state, fault) == "the order of <*> could not be stored in the archive"


def test_a_split_is_undone_and_not_learned_again() -> None:
    state = Grouping()
    ids = [see(state, message)[0] for message in orders(NAMES)]
    apart = ids[4]
    (alias,) = grouping.split(state, apart, by="ada")
    assert (alias.fingerprint, alias.fault, alias.by) == (apart, apart, "ada")
    faults(state, orders([*NAMES, "mallory", "niaj", "olivia"]))
    assert grouping.fault_of(state, apart) == apart
    assert grouping.fault_of(state, ids[5]) == ids[0]


def test_a_fault_is_split_into_all_that_was_merged_into_it() -> None:
    state = Grouping()
    ids = [see(state, message)[0] for message in orders(NAMES)]
    grouping.split(state, ids[0], by="ada")
    faults(state, orders(NAMES))
    assert len({grouping.fault_of(state, each) for each in ids}) == len(ids)


def test_splitting_what_is_not_merged_is_refused_with_a_reason() -> None:
    state = Grouping()
    lonely, _ = see(state, "disk is full")
    with pytest.raises(ValueError, match="not merged with anything"):
        grouping.split(state, lonely, by="ada")


def test_a_merge_by_an_engineer_wins_over_an_earlier_split_and_over_meaning() -> None:
    state = Grouping()
    one, _ = see(state, "disk is full")
    other, _ = see(state, "no space left on device")
    (alias,) = grouping.merge(state, other, one, by="ada")
    assert alias == Alias(other, one, "ada said that they are one fault", "ada")
    grouping.split(state, other, by="bob")
    assert grouping.fault_of(state, other) == other
    grouping.merge(state, other, one, by="ada", reason="the same quota")
    assert grouping.fault_of(state, other) == one
    assert grouping.explain(state, other)[0].reason == "the same quota"


def test_an_engineer_chooses_which_fault_survives() -> None:
    state = Grouping()
    older, _ = see(state, "disk is full")
    newer, _ = see(state, "no space left on device")
    grouping.merge(state, older, newer, by="ada")
    assert grouping.fault_of(state, older) == newer


def test_the_state_survives_being_written_as_json() -> None:
    state = Grouping()
    ids = [see(state, message)[0] for message in orders(NAMES)]
    grouping.split(state, ids[3], by="ada")
    loaded = grouping.from_data(json.loads(json.dumps(grouping.to_data(state))))
    assert grouping.to_data(loaded) == grouping.to_data(state)
    assert [grouping.fault_of(loaded, each) for each in ids] == [grouping.fault_of(state, each) for each in ids]
    more = orders(["mallory", "niaj"])
    assert faults(loaded, more) == faults(state, more)


def test_what_reads_the_same_is_joined_after_a_restart_too() -> None:
    state = Grouping()
    named = faults(state, [f"status unpacked lib{letter}-doc:all 1.2" for letter in "abcdefghijkl"])
    loaded = grouping.from_data(json.loads(json.dumps(grouping.to_data(state))))
    assert faults(loaded, ["status unpacked /var/cache/a 1.2"]) == named[:1]


def test_a_state_of_an_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 2"):
        grouping.from_data({"version": 2})


def test_memory_is_bounded() -> None:
    state = Grouping(max_known=100)
    for number in range(1000):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        see(state, f"{word} {word}x {word}y never seen before")
    assert len(state.known) <= 100
    assert len(state._places) <= 100 * 10


def test_what_is_merged_is_not_forgotten_before_what_is_not() -> None:
    state = Grouping(max_known=50)
    ids = [see(state, message)[0] for message in orders(NAMES)]
    for number in range(200):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        see(state, f"{word} {word}x {word}y never seen before")
    assert {grouping.fault_of(state, each) for each in ids} == {ids[0]}


def test_shapes_tell_identifiers_from_words() -> None:
    shape, kinds = evidence.shape, evidence.Shape
    assert [shape(token) for token in ("alice", "an<*>", "com.acme.Shop", "failed", "node-<*>", "x=1", "...")] == [
        kinds.WORD,
        kinds.NUMBERED,
        kinds.JOINED,
        kinds.MEANING,
        kinds.NUMBERED,
        kinds.MEANING,
        kinds.MEANING,
    ]


# The labelled logs of real programs. The floors are a little under the figures of `python -m tests.bench.grouping`.
SPLIT = tomllib.loads((bench.DATA / "split.toml").read_text())
PROGRAMS = sorted(program for part in SPLIT.values() for program in part)


@pytest.fixture(scope="module")
def scores() -> dict[str, tuple[bench.Score, bench.Score]]:
    """Program -> scores of the stateless fingerprint and of the group."""
    found = {}
    for program in PROGRAMS:
        folder: Path = bench.DATA / program
        cut = bench.records(folder)
        truth = bench.aligned(cut, bench.labels(folder))
        read = bench.events(cut)
        stateless = bench.score([seen.fingerprint for seen in read], truth)
        found[program] = (stateless, bench.score(bench.group(read), truth))
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_labels_are_current(program: str) -> None:
    assert bench.labels(bench.DATA / program) == dict(labels.label(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_records_start_where_they_are_labelled(program: str) -> None:
    folder = bench.DATA / program
    assert [record.offset for record in bench.records(folder)] == sorted(bench.labels(folder))


@pytest.mark.parametrize(
    ("part", "stateless", "group"), [("dev", 0.87, 0.90), ("test", 0.92, 0.92), ("blind", 0.85, 0.85)]
)
def test_grouping_accuracy_keeps_its_floor(
    scores: dict[str, tuple[bench.Score, bench.Score]], part: str, stateless: float, group: float
) -> None:
    programs = SPLIT[part]
    assert sum(scores[program][0].ga for program in programs) / len(programs) >= stateless
    assert sum(scores[program][1].ga for program in programs) / len(programs) >= group


def test_learning_gains_much_and_costs_little(scores: dict[str, tuple[bench.Score, bench.Score]]) -> None:
    for program, (stateless, group) in scores.items():
        assert group.ga >= stateless.ga - 0.02, program
    assert sum(group.ga - stateless.ga for stateless, group in scores.values()) > 0.2
    assert sum(group.fga - stateless.fga for stateless, group in scores.values()) > 0.2


def test_units_of_systemd_are_no_values_however_many_fail_in_the_same_words() -> None:
    names = ["".join("abcdefghij"[int(digit)] for digit in f"{number:04}") for number in range(40)]
    said = [f"shop-{name}.service: Failed with result 'exit-code' after a start that took too long." for name in names]
    assert len(set(faults(Grouping(), said))) == 40
