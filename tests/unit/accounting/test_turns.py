from forehearth.accounting.turns import Turns


def test_turns_go_round_among_tenants_and_each_keeps_its_order() -> None:
    turns: Turns[str] = Turns()
    for item in ("a1", "a2", "a3", "b1", "c1", "c2"):
        turns.add(item[0], item)
    assert list(turns) == ["a1", "b1", "c1", "a2", "c2", "a3"]
    turns.served("a", "a1")
    assert list(turns) == ["b1", "c1", "a2", "c2", "a3"]
    turns.add("b", "b2")
    turns.served("b", "b1")
    assert list(turns) == ["c1", "a2", "b2", "c2", "a3"]
    assert (len(turns), turns.length("a"), turns.length("nobody")) == (5, 2, 0)


def test_who_leaves_leaves_no_trace() -> None:
    turns: Turns[str] = Turns()
    turns.add("a", "a1")
    turns.add("a", "a2")
    turns.remove("a", "a1")
    assert list(turns) == ["a2"]
    turns.remove("a", "a2")
    assert not turns
    assert turns.length("a") == 0
