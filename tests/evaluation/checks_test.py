import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import checks
from dl_condind.evaluation import code_table
from dl_condind.utils import errors


def test_choice_is_checked():
  checks.check_choice("x.kind", "a", ("a", "b"))
  with pytest.raises(errors.ConfigError, match="x.kind must be one of a, b, got 'c'"):
    checks.check_choice("x.kind", "c", ("a", "b"))


def test_values_whose_powers_overflow_are_refused():
  values = np.array([[1e18], [-1e18]], dtype=np.float32)
  checks.check_powers("It", values, power=2)
  with pytest.raises(
    errors.ConfigError, match=r"It has values up to 1e\+20, and above .* in float32"
  ):
    checks.check_powers("It", values * 100, power=2)
  checks.check_powers("It", values.astype(np.float64) * 100, power=4)
  with pytest.raises(errors.ConfigError, match="powers of 2 values are not finite in float64"):
    checks.check_powers("It", values.astype(np.float64) ** 5, power=4)
  checks.check_powers(
    "It", np.array([[2**60]]), power=4
  )  # as the floating point type they turn into


def test_whole_numbers_in_floats_are_values():
  x, y = np.ones((6, 3), np.float32), np.ones((6, 2))
  checked = checks.check_points(x, y, "train")
  assert checked[0].dtype == np.float64
  assert checked[1].dtype == np.int64


@pytest.mark.parametrize(
  ("x", "y", "error", "message"),
  [
    (np.full((3, 2), np.nan), np.ones((3, 1)), errors.ConfigError, "train representations have 6"),
    (np.ones((3, 2)), np.array([["a"]] * 3), errors.ConfigError, "train factors must be numbers"),
    (np.array([["1"]] * 3), np.ones((3, 1)), errors.ConfigError, "representations must be numbers"),
    (np.full((3, 2), 1e300), np.ones((3, 1)), errors.ConfigError, "not finite in float32"),
    (np.ones((3, 2)), np.full((3, 2), 0.5), errors.ConfigError, "factor 0 of the train factors"),
    (np.ones((3, 2)), np.full((3, 1), np.nan), errors.ConfigError, "train factors have 3 of 3"),
    (np.ones((3, 2)), np.ones((4, 1)), ValueError, "got 3 and 4 rows"),
    (np.ones(3), np.ones((3, 1)), ValueError, r"train representations must be .* shape \(3,\)"),
    (np.ones((3, 2)), np.ones((3, 0)), ValueError, r"train factors must be .* shape \(3, 0\)"),
    (np.ones((0, 2)), np.ones((0, 1)), ValueError, "train representations must be"),
  ],
)
def test_points_that_no_classifier_can_use_are_refused(x, y, error, message):
  with pytest.raises(error, match=message):
    checks.check_points(x, y, "train")


def test_splits_must_fit_together():
  x_train, y_train, x_test, y_test = (
    np.ones((6, 3)),
    np.ones((6, 2)),
    np.ones((4, 3)),
    np.ones((4, 2)),
  )
  with pytest.raises(ValueError, match="test representations must have the same columns"):
    checks.check_splits(x_train, y_train, x_test[:, :2], y_test)
  with pytest.raises(ValueError, match="test factors must have the same columns, got 2 and 1"):
    checks.check_splits(x_train, y_train, x_test, y_test[:, :1])
  with pytest.raises(errors.ConfigError, match="at least 5 points to train on, got 4"):
    checks.check_splits(x_train[:4], y_train[:4], x_test, y_test)


def test_no_factor_that_varies_is_an_error():
  with pytest.raises(errors.ConfigError, match="none of the 2 factors varies in the 6 train"):
    checks.varying_factors(np.ones((6, 2)), "dci")
  np.testing.assert_array_equal(checks.varying_factors(np.eye(3), "dci"), [0, 1, 2])


@pytest.mark.parametrize(
  "codes, factors, message",
  [
    (np.zeros(3), np.zeros((3, 1)), r"representations must be \[num_points, num_columns\]"),
    (np.zeros((3, 1)), np.zeros((3, 0)), r"factors must be .* got shape \(3, 0\)"),
    (np.zeros((3, 1)), np.zeros((4, 1)), "got 3 and 4 rows"),
  ],
)
def test_arrays_that_do_not_fit_are_an_error(codes, factors, message):
  with pytest.raises(ValueError, match=message):
    code_table.CodeTable(codes, factors)


@pytest.mark.parametrize("values", [np.array([["a"], ["b"]]), np.array([[None], [1.0]])])
def test_names_of_categories_are_no_numbers(values):
  with pytest.raises(ValueError, match=r"^The factors must be numbers, got .*: number categories"):
    checks.check_finite("The factors", values)


def test_factors_that_cannot_be_set_are_an_error():
  data = dummy_data.DummyData()
  checks.check_settable(data, "some_metric")
  data.has_complete_grid = False
  with pytest.raises(errors.ConfigError, match="some_metric .* needs a complete grid of factors"):
    checks.check_settable(data, "some_metric")


def test_one_factor_is_an_error():
  table = code_table.CodeTable(np.zeros((3, 2)), np.arange(3)[:, None])
  with pytest.raises(errors.ConfigError, match="tells factors apart, code_table has 1"):
    checks.check_settable(table, "some_metric")
