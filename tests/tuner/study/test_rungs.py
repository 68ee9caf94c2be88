"""Successive halving by promotion, on a toy objective."""

import pytest

from tuner.study.halving.rungs import Rungs


def arrive(rungs: Rungs, scores: dict[int, float], epoch: int = 1) -> dict[int, bool]:
    return {number: rungs.report(number, epoch, (score, 0.0)) for number, score in scores.items()}


def test_rungs_are_a_factor_apart_and_below_the_end():
    assert Rungs(grace=1, factor=3, longest=27).levels == [1, 3, 9]
    assert Rungs(grace=4, factor=3, longest=60).levels == [4, 12, 36]
    assert Rungs(grace=2, factor=2.6, longest=13).levels == [2, 5]
    assert Rungs(grace=9, factor=3, longest=9).levels == []


def test_the_first_to_arrive_wait_until_there_is_something_to_be_compared_with():
    rungs = Rungs(grace=1, factor=3, longest=9)
    assert arrive(rungs, {0: 0.5, 1: 0.4}) == {0: False, 1: False}
    assert rungs.promote() is None
    assert arrive(rungs, {2: 0.3}) == {2: False}
    assert rungs.promote() == 0
    assert rungs.promote() is None  # one in three


def test_one_of_the_best_goes_on_without_a_stop():
    rungs = Rungs(grace=1, factor=3, longest=9)
    assert arrive(rungs, {0: 0.5, 1: 0.4, 2: 0.9}) == {0: False, 1: False, 2: True}
    assert rungs.report(2, 2, (0.9, 0.0))  # and is not asked again before the next rung
    assert not rungs.report(2, 3, (0.9, 0.0))
    assert rungs.waiting == {0: 0, 1: 0, 2: 1}


def test_the_highest_rung_goes_first():
    rungs = Rungs(grace=1, factor=2, longest=8)
    arrive(rungs, {0: 0.5, 1: 0.6, 2: 0.7, 3: 0.8, 4: 0.1, 5: 0.2, 6: 0.0})
    for number in (1, 2, 3):
        assert rungs.report(number, 2, (0.6 + number / 10, 0.0)) is (number in (2, 3))
    assert rungs.waiting[1] == 1
    arrive(rungs, {7: 0.05})  # eight: four places at the first rung
    assert rungs.promote() == 0


def test_ties_go_to_the_lower_loss_and_then_to_the_earlier():
    rungs = Rungs(grace=1, factor=3, longest=9)
    assert not rungs.report(0, 1, (0.9, -0.5))
    assert not rungs.report(1, 1, (0.9, -0.3))
    assert not rungs.report(2, 1, (0.9, -0.3))
    assert rungs.promote() == 1


def test_of_few_the_best_goes_on_in_the_end():
    rungs = Rungs(grace=1, factor=3, longest=9)
    arrive(rungs, {0: 0.5, 1: 0.6})
    assert rungs.promote() is None
    assert rungs.promote(last=True) == 1
    assert rungs.promote(last=True) is None
    assert not rungs.report(1, 3, (0.7, 0.0))
    assert rungs.promote(last=True) == 1  # at the next rung, too
    assert rungs.report(1, 9, (0.8, 0.0))


def test_hopeless_trials_are_given_up_and_near_ones_are_not():
    rungs = Rungs(grace=1, factor=3, longest=9)
    arrive(rungs, {n: n / 100 for n in range(99, -1, -1)})
    while rungs.promote() is not None:
        pass
    given_up = rungs.give_up()
    assert 0 in given_up and 66 not in given_up and 60 not in given_up
    assert not set(given_up) & set(rungs.waiting)
    assert len(rungs.waiting) <= 2 * 10 + 1


def test_a_resumed_trial_is_judged_at_the_rung_that_it_had_passed():
    rungs = Rungs(grace=1, factor=3, longest=9)
    arrive(rungs, {0: 0.5, 1: 0.6, 2: 0.7})
    assert not rungs.report(0, 2, (0.9, 0.0))  # the first report at a rung counts
    assert rungs.reached[0][0] == (0.5, 0.0)


@pytest.mark.parametrize("workers", [1, 4])
def test_it_spends_few_epochs_and_finds_the_best(workers: int):
    rungs, waiting_new, best, epochs = Rungs(grace=1, factor=3, longest=27), list(range(81)), 0, 0
    progress: dict[int, int] = {}
    running: list[int] = []
    while True:
        while len(running) < workers:
            number = rungs.promote(last=not waiting_new and not running)
            if number is None and waiting_new:
                number = (waiting_new.pop(0) * 37) % 81
            if number is None:
                break
            running.append(number)
        if not running:
            break
        number = running.pop(0)
        progress[number] = progress.get(number, 0) + 1
        epochs += 1
        if progress[number] == 27:
            best = max(best, number)
        elif rungs.report(number, progress[number], (float(number), 0.0)):
            running.append(number)
    assert best == 80
    assert epochs < 81 + 27 * 2 + 9 * 6 + 3 * 18 + 60  # of 81 * 27 = 2187
