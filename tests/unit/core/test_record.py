"""A call's record: what is owed at its end is done once, in order, when the last who holds it lets go."""

from forehearth.core.record import CallRecord


def test_what_is_owed_is_done_once_the_last_left_first() -> None:
    record, done = CallRecord(), []
    record.at_end(lambda _: done.append("journal"))
    record.at_end(lambda _: done.append("settle"))
    record.close()
    assert done == ["settle", "journal"]


def test_a_held_record_ends_with_its_last_hold() -> None:
    record, done = CallRecord(), []
    record.at_end(lambda _: done.append("settle"))
    record.hold()
    record.close()
    assert done == []
    record.close()
    assert done == ["settle"]


def test_once_more_closed_does_nothing() -> None:
    record, done = CallRecord(), []
    record.at_end(lambda _: done.append("settle"))
    record.close()
    record.close()
    assert done == ["settle"]


def test_what_is_done_sees_the_record() -> None:
    record, seen = CallRecord(), []
    record.at_end(lambda each: seen.append(each.status))
    record.status = 499
    record.close()
    assert seen == [499]


def test_no_two_records_share_their_lists() -> None:
    one, other = CallRecord(), CallRecord()
    one.say("cache", "a miss")
    one.at_end(lambda _: None)
    assert other.words == []
    other.close()
    assert one.words == [("cache", "a miss")]
