"""Where one stream of the road up stands: what is under way, and which schemas need not be told again."""

from __future__ import annotations

from sitewarden_agent.link.uplink import _Course
from sitewarden_agent.spool import Sealed


def _sent(course: _Course, *batches: tuple[int, set[str]]) -> None:
    for seq, telling in batches:
        course.sent(Sealed(seq, (), 100), telling)


def test_a_schema_is_told_until_headquarters_has_said_that_it_is_stored() -> None:
    course = _Course(credits=8)
    _sent(course, (1, {"host"}), (2, {"host"}), (3, {"probe"}))
    assert course.told == set()
    course.answered(2)
    assert course.told == {"host"}
    course.answered(3)
    assert course.told == {"host", "probe"}
    assert course.bytes_under_way == 0


def test_a_batch_that_was_refused_has_told_nothing() -> None:
    course = _Course(credits=8)
    _sent(course, (1, {"host"}), (2, {"probe"}))
    course.refused(1)
    assert (course.told, course.bytes_under_way) == (set(), 100)
    course.answered(2)
    assert course.told == {"probe"}
