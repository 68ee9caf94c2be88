"""The time that a search still takes, estimated from epochs."""

from __future__ import annotations

import numpy as np
import pytest

from tuner.study.time_left import TimeLeft


def test_without_rungs_each_trial_trains_as_long_as_those_that_finished():
    left = TimeLeft(10, levels=[], factor=3, first_guess=30)
    for _ in range(3):
        left.finished(10)  # with the first guess, 30, the mean is 15
    assert left.length == 15
    assert left.epochs(running=[5, 10], waiting=[], ended=3) == 5 * 15 + 10 + 5


def test_at_a_rung_few_go_on():
    left = TimeLeft(9, levels=[4, 12], factor=3, first_guess=36)  # a training ends after 36
    assert left.epochs(running=[], waiting=[], ended=0) == pytest.approx(9 * (4 + 8 / 3 + 24 / 9))
    assert left.epochs(running=[], waiting=[4] * 9, ended=0) == pytest.approx(max(9 * 16 / 3, 32))


def test_nothing_is_left_when_all_have_ended():
    left = TimeLeft(5, levels=[2], factor=3, first_guess=10)
    left.trained(30, 10.0)
    assert left.seconds(20.0, 0.0, running=[], waiting=[], ended=5) == 0


def test_before_the_first_epoch_nothing_is_known():
    left = TimeLeft(5, levels=[2], factor=3, first_guess=10)
    assert left.seconds(300.0, 0.0, running=[0, 0], waiting=[], ended=0) is None


def test_the_rate_is_that_of_late():
    left = TimeLeft(5, levels=[], factor=3, first_guess=10)
    for second in range(100):
        left.trained(10 if second < 30 else 1, float(second))
    assert left.rate(100.0, 0.0) == pytest.approx(1, abs=0.05)


def test_of_epochs_longer_than_a_minute_it_does_not_jump():
    left = TimeLeft(16, levels=[], factor=3, first_guess=12)
    for minute in range(0, 30, 3):
        left.trained(1, 60.0 * minute)
    said = [
        left.seconds(27 * 60.0 + late, -180.0, running=[10], waiting=[], ended=0)
        for late in (1.0, 61.0, 119.0)
    ]
    assert said == pytest.approx([(15 * 12 + 2) * 180.0] * 3, rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_through_a_whole_search_it_is_about_right(seed):
    """24 trials on two workers, halved at 4 and 12 epochs, ending by themselves after 15 to 25."""
    rng = np.random.default_rng(seed)
    left = TimeLeft(24, levels=[4, 12], factor=3, first_guess=30)
    length = rng.integers(15, 26, 24)
    goes_on = [set(range(24)), set(rng.permutation(24)[:8].tolist())]
    goes_on.append(set(sorted(goes_on[1])[:3]))
    plan = [
        (trial, level, min(int(length[trial]), ([4, 12, 99])[level]))
        for level in range(3)
        for trial in sorted(goes_on[level])
    ]
    done, ended, now, told = dict.fromkeys(range(24), 0), set(), 0.0, []
    for trial, level, until in plan:
        while done[trial] < until:
            now += 0.25
            done[trial] += 1
            left.trained(1, now)
            waiting = [e for t, e in done.items() if e and t != trial and t not in ended]
            seconds_left = left.seconds(
                now, 0.0, running=[done[trial]], waiting=waiting, ended=len(ended)
            )
            told.append((now, seconds_left))
        last = level == 2 or trial not in goes_on[level + 1]
        if last and level == 2:
            left.finished(done[trial])
        if last:
            ended.add(trial)
    ratios = [seconds_left / (now - when) for when, seconds_left in told if now - when > 0.15 * now]
    assert 0.5 < np.median(ratios) < 1.6
    assert min(ratios) > 0.35 and max(ratios) < 2.5
