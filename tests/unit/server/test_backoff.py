from forehearth.server.backoff import DELAYS, SETTLED, Backoff


def test_the_first_death_costs_nothing_and_the_next_ones_more_and_more():
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in DELAYS] == list(DELAYS)
    assert backoff.after(0.1) == DELAYS[-1]
    assert DELAYS[0] == 0


def test_a_process_that_lived_makes_its_predecessors_forgotten():
    backoff = Backoff()
    for _ in range(4):
        backoff.after(0.1)
    assert backoff.after(SETTLED) == DELAYS[0]
    assert backoff.after(0.1) == DELAYS[1]
