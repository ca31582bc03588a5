"""What lays codes into the plane and finds them there, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from vaecore.explore.maps import align, nearest, principal
from vaecore.explore.maps.neighbourhoods import memberships, place
from vaecore.explore.maps.projections import by_dimensions

DRAWS = np.random.default_rng(0)


def turned(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


# -- principal components --------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(300, 7), (5, 7), (7, 7), (200, 1)])
def test_principal_components_are_those_of_numpy(shape: tuple[int, int]) -> None:
    x = DRAWS.normal(size=shape) * np.arange(1, shape[1] + 1) + 3
    found = principal(x.astype(np.float32))
    centred = x.astype(np.float32).astype(np.float64) - x.astype(np.float32).astype(np.float64).mean(0)
    _, s, directions = np.linalg.svd(centred, full_matrices=False)
    k = min(len(x) - 1, shape[1])
    np.testing.assert_allclose(found.variances[:k], s[:k] ** 2 / (len(x) - 1), rtol=1e-10)
    np.testing.assert_allclose(np.abs((found.directions[:k] * directions[:k]).sum(1)), 1, atol=1e-10)
    np.testing.assert_allclose(found.shares.sum(), 1)
    for direction in found.directions:  # signs do not depend on the machine
        assert direction[np.abs(direction).argmax()] > 0


def test_principal_points_hold_the_variances_and_a_place_is_a_code() -> None:
    x = (DRAWS.normal(size=(500, 4)) @ DRAWS.normal(size=(4, 4)) + 1).astype(np.float32)
    found = principal(x)
    points = found.plane.points(x)
    np.testing.assert_allclose(points.var(0, ddof=1), found.variances[:2], rtol=1e-5)
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found.plane.points(found.plane.codes(points)), points, atol=1e-4)


def test_codes_of_one_dimension_lie_on_a_line() -> None:
    x = DRAWS.normal(size=(50, 1)).astype(np.float32)
    points = principal(x).plane.points(x)
    np.testing.assert_allclose(points[:, 0], x[:, 0] - x.mean(), atol=1e-6)
    assert (points[:, 1] == 0).all()
    with pytest.raises(ValueError, match="at least 2"):
        principal(x[:1])


# -- two dimensions --------------------------------------------------------------------------------


def test_the_plane_of_two_dimensions_holds_the_others() -> None:
    plane = by_dimensions(4, 2, 0, [9.0, 5, 9, 7])
    np.testing.assert_array_equal(plane.codes(np.array([[1.5, -2]])), [[-2, 5, 1.5, 7]])
    codes = DRAWS.normal(size=(6, 4)).astype(np.float32)
    np.testing.assert_allclose(plane.points(codes), codes[:, [2, 0]], atol=1e-6)


@pytest.mark.parametrize(("across", "up"), [(1, 1), (0, 4), (-1, 2)])
def test_a_plane_needs_two_dimensions_that_are_there(across: int, up: int) -> None:
    with pytest.raises(ValueError, match="not two of 0 to 3"):
        by_dimensions(4, across, up, np.zeros(4))


# -- one map on another ----------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 30, 135, 200, 359])
def test_a_turned_copy_comes_back(degrees: float) -> None:
    x = DRAWS.normal(size=(200, 2)) * [3, 1]
    y = 0.4 * x @ turned(degrees) + [5, -2]
    found = align(x, y)
    np.testing.assert_allclose(found.of(x), y, atol=1e-6)
    np.testing.assert_allclose(found.back(y), x, atol=1e-6)
    assert found.scale == pytest.approx(0.4) and found.left == pytest.approx(0, abs=1e-9) and not found.mirrored
    assert (found.degrees - degrees + 180) % 360 == pytest.approx(180, abs=1e-6)


def test_a_mirrored_copy_is_mirrored_only_where_that_is_allowed() -> None:
    x = DRAWS.normal(size=(200, 2)) * [3, 1]
    y = x * [1, -1]
    only_turned, mirrored = align(x, y), align(x, y, mirror=True)
    assert np.linalg.det(only_turned.rotation) == pytest.approx(1) and not only_turned.mirrored
    np.testing.assert_allclose(mirrored.of(x), y, atol=1e-9)
    assert mirrored.mirrored and only_turned.left > 0.1 and mirrored.left < 1e-9


def test_no_other_rotation_is_nearer() -> None:
    """The closed form against every degree of a circle, with the best scale of each."""
    x, y = DRAWS.normal(size=(60, 2)), DRAWS.normal(size=(60, 2))
    x, y = x - x.mean(0), y - y.mean(0)

    def off(degrees: float) -> float:
        moved = x @ turned(degrees)
        scale = max(0.0, float((moved * y).sum() / (moved ** 2).sum()))
        return float(((scale * moved - y) ** 2).sum())

    found = align(x, y)
    assert ((found.of(x) - y) ** 2).sum() <= min(map(off, np.linspace(0, 360, 721))) + 1e-9
    assert found.left == pytest.approx(((found.of(x) - y) ** 2).sum() / (y ** 2).sum())


def test_maps_that_cannot_be_aligned_are_refused() -> None:
    with pytest.raises(ValueError, match="same points"):
        align(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="one place"):
        align(np.ones((3, 2)), DRAWS.normal(size=(3, 2)))


# -- neighbours ------------------------------------------------------------------------------------


def test_the_nearest_are_the_nearest() -> None:
    codes, asked = (DRAWS.normal(size=(n, 5)).astype(np.float32) for n in (3000, 700))
    places, far = nearest(codes, asked, 4)
    squared = ((codes[None].astype(float) - asked[:, None]) ** 2).sum(2)
    np.testing.assert_array_equal(places, np.argsort(squared, 1, kind="stable")[:, :4])
    np.testing.assert_allclose(far, np.sqrt(np.sort(squared, 1)[:, :4]), rtol=1e-6)


def test_of_equally_near_ones_the_first_is_taken() -> None:
    codes = np.array([[1, 0], [0, 1], [1, 0], [5, 5]], np.float32)
    places, far = nearest(codes, np.zeros((1, 2), np.float32), 2)
    assert places.tolist() == [[0, 1]] and far.tolist() == [[1, 1]]
    assert nearest(codes, codes[3], 9)[0].tolist() == [[3, 0, 1, 2]]


def test_memberships_sum_to_the_logarithm_of_their_number() -> None:
    far = np.sort(DRAWS.uniform(0.1, 9, size=(40, 15)), 1)
    found = memberships(far)
    np.testing.assert_allclose(found.sum(1), np.log2(15), rtol=1e-6)
    assert (found[:, 0] == 1).all() and (np.diff(found, axis=1) <= 0).all()
    assert np.isfinite(memberships(np.zeros((2, 5)))).all()


def test_a_new_code_lies_where_its_neighbours_do() -> None:
    codes = np.concatenate([DRAWS.normal(size=(40, 3)), DRAWS.normal(size=(40, 3)) + 20]).astype(np.float32)
    points = np.repeat([[0, 0], [10, 3]], 40, 0).astype(np.float32)
    np.testing.assert_allclose(place(codes, points, codes[[0, 79]] + 0.01, 5), [[0, 0], [10, 3]], atol=1e-6)
    assert place(codes, points, codes[:0]).shape == (0, 2)
