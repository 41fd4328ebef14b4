"""PCNet's training samples, against a plain reference."""

import numpy as np
import pytest

from kins import Dataset, Image, Instance, KinsError, Mask, Scene
from kins.complete.pairs import ATTEMPTS, ERASED, PairSet, cropped, pair, shaken, shift, shifted, window

SIDE = 32


def disc(x, y, radius):
    rows, columns = np.mgrid[:60, :80] + 0.5
    return Mask.from_array(np.hypot(rows - y, columns - x) < radius)


def toys():
    """Visible masks alone, one of them too thin."""
    masks = [disc(20, 20, 9), disc(50, 30, 14), disc(30, 44, 12), Mask.from_box((3, 3, 40, 4), 60, 80)]
    instances = tuple(Instance(n, 1, "disc", inmodal=mask) for n, mask in enumerate(masks))
    return Dataset.from_scenes([Scene(Image(7, "a.png", 60, 80), instances)], {1: "disc"})


def test_windows_are_the_papers():
    assert window((10, 20, 30, 10)) == pytest.approx((25 - 33 / 2, 25 - 33 / 2, 33))
    x, y, side = window((10, 20, 30, 28))
    assert side == pytest.approx((3 * 30 * 28) ** 0.5)
    assert (x + side / 2, y + side / 2) == pytest.approx((25, 34))
    rng = np.random.default_rng(0)
    for _ in range(50):
        new = shaken((x, y, side), rng)
        assert 1 / 1.2 - 1e-9 <= new[2] / side <= 1.25 + 1e-9
        assert abs(new[0] + new[2] / 2 - 25) <= 0.2 * side + 1e-9
        assert abs(new[1] + new[2] / 2 - 34) <= 0.2 * side + 1e-9


@pytest.mark.parametrize("mirrored", [False, True])
def test_crops_show_the_nearest_pixels(mirrored):
    mask, (x, y, side) = disc(12, 40, 15), (-9.5, 20.0, 45.0)
    array, expected = mask.to_array(), np.zeros((SIDE, SIDE), bool)
    for row in range(SIDE):
        for column in range(SIDE):
            i, j = int(np.floor(y + (row + 0.5) * side / SIDE)), int(np.floor(x + (column + 0.5) * side / SIDE))
            expected[row, column] = 0 <= i < 60 and 0 <= j < 80 and array[i, j]
    found = cropped(mask, (x, y, side), SIDE, mirrored)
    expected = expected[:, ::-1] if mirrored else expected
    assert (found & expected).sum() / (found | expected).sum() > 0.93


def test_two_windows_share_at_least_two_fifths():
    rng = np.random.default_rng(1)
    shares = [(1 - abs(x)) * (1 - abs(y)) for x, y in (shift(rng) for _ in range(200))]
    assert min(shares) >= 0.4 - 1e-9
    assert max(shares) > 0.95
    square = np.ones((SIDE, SIDE), bool)
    assert shifted(square, (0.25, -0.5)).nonzero()[0].tolist() == [r for r in range(16) for _ in range(24)]
    assert shifted(square, (0.25, -0.5)).nonzero()[1].min() == 8
    assert (shifted(square, (0.0, 0.0)) == square).all()


def test_the_upper_one_takes_away_from_the_lower_one():
    rng = np.random.default_rng(2)
    whole, eraser = rng.random((2, 9, 9)) < 0.5
    for above in (True, False):
        seen, rest = pair(whole, eraser, above)
        for place in np.ndindex(9, 9):
            if above:
                assert rest[place] == eraser[place]
                assert seen[place] == (whole[place] and not eraser[place])
            else:
                assert seen[place] == whole[place]
                assert rest[place] == (eraser[place] and not whole[place])


def test_samples_follow_from_whole_masks_and_erasers():
    samples = PairSet(toys(), SIDE, seed=3)
    assert len(samples) == 3
    above = whole_seen = 0
    for place in range(240):
        windows, target = samples[(place % 3, place)]
        (seen, eraser), whole = windows.numpy() > 0, target["whole"].numpy() > 0
        assert windows.shape == (2, SIDE, SIDE)
        assert set(np.unique(windows)) <= {0.0, 1.0}
        assert not (seen & eraser).any()
        assert not (seen & ~whole).any()
        assert target["image"] == 0
        lost = 1 - seen.sum() / whole.sum()
        above, whole_seen = above + (lost > 0), whole_seen + (lost == 0)
        assert lost == 0 or ERASED[0] <= lost < ERASED[1] or ATTEMPTS == 1
        if lost:
            assert (seen == (whole & ~eraser)).all()
    assert 0.7 < above / (above + whole_seen) < 0.9
    again, _ = samples[(2, 239)]
    assert (again.numpy() == windows.numpy()).all()
    assert not (PairSet(toys(), SIDE, seed=4)[(2, 239)][0] == again).all()


def test_a_data_set_without_pairs_says_so():
    lone = Dataset.from_scenes([Scene(Image(7, "a.png", 60, 80), toys()[7].instances[2:])], {1: "disc"})
    with pytest.raises(KinsError, match="has not two masks"):
        PairSet(lone, SIDE)
