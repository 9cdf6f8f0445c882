import pytest

from bench.figures import least, median, paired_ratios, share_percent, slope


def test_ratios_pair_the_values_of_the_same_round():
    assert paired_ratios({1: 40.0, 2: 66.0}, {1: 20.0, 2: 22.0}) == [2.0, 3.0]


def test_rounds_that_lack_either_value_are_left_out():
    assert paired_ratios({1: 40.0, 2: 66.0, 4: 9.0}, {2: 22.0, 3: 20.0, 4: 0.0}) == [3.0]


def test_a_paired_median_is_not_the_ratio_of_medians():
    # A machine that was slow in round 2 made both slow: pairing keeps the ratio, medians alone would not.
    ours, floor = {1: 40.0, 2: 90.0, 3: 41.0}, {1: 20.0, 2: 45.0, 3: 20.5}
    assert median(paired_ratios(ours, floor)) == 2.0


@pytest.mark.parametrize(
    ("values", "middle", "lowest"),
    [([], None, None), ([3.0], 3.0, 3.0), ([4.0, 1.0, 2.0], 2.0, 1.0), ([4.0, 1.0, 2.0, 3.0], 2.5, 1.0)],
)
def test_median_and_least(values, middle, lowest):
    assert median(values) == middle
    assert least(values) == lowest


def test_slope_of_a_line_and_of_too_little():
    assert slope([(0, 1.0), (10, 3.0), (20, 5.0)]) == pytest.approx(0.2)
    assert slope([(5, 1.0), (5, 2.0)]) is None
    assert slope([]) is None


def test_share_percent():
    assert share_percent(1.25) == pytest.approx(25)
