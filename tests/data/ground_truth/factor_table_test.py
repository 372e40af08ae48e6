import re

import numpy as np
import pytest

from dl_condind.data.ground_truth import factor_table

NAMES = ["a", "b"]


@pytest.mark.parametrize(
  ("factors", "sizes", "dtype", "num_values"),
  [
    (np.array([[0, 3], [1, 0]]), [None, None], np.int64, [2, 4]),
    (np.array([[0, 3], [1, 0]], np.uint8), [5, 300], np.int64, [5, 300]),
    (np.array([[False, True], [True, True]]), [None, None], np.int64, [2, 2]),
    (np.array([[0.0, 3.0], [1.0, 0.0]]), [2, 4], np.int64, [2, 4]),
    (np.array([[0.0, 3.0], [1.0, 0.0]], np.float16), [2, 70_000], np.int64, [2, 70_000]),
    (np.array([[0.0, 3.0], [1.0, 0.0], [1.0, 0.0]]), [0, 4], np.float64, [2, 4]),
    (np.array([[0.5, 3.0], [-1.5, 0.0], [0.5, 1.0]]), [0, 4], np.float64, [2, 4]),
    (np.array([[-7, 3], [1, 0], [9, 2]]), [0, np.int8(4)], np.float64, [3, 4]),
    (np.array([[0, 3], [2**53 - 1, 0]], np.uint64), [None, None], np.int64, [2**53, 4]),
  ],
)
def test_factors_get_the_type_and_sizes_of_a_data_set(factors, sizes, dtype, num_values):
  found, found_values = factor_table.check_factors(factors, NAMES, sizes)
  np.testing.assert_array_equal(found, factors)
  assert found.dtype == dtype
  assert found_values == num_values
  assert {type(value) for value in found_values} == {int}


@pytest.mark.parametrize(
  ("factors", "sizes", "message"),
  [
    ([[0, 1], [0, 4]], [1, 4], "factors[1, 1] (b) is 4, not a whole number in [0, 4)"),
    ([[0, 1], [-1, 4]], [None, 5], "factors[1, 0] (a) is -1, not a whole number in [0, 1)"),
    ([[-3, 1], [-1, 4]], [None, 5], "factors[0, 0] (a) is -3, not a whole number in [0, 1)"),
    ([[0, 1.5]], [1, 4], "factors[0, 1] (b) is 1.5, not a whole number in [0, 4)"),
    ([[0, np.nan]], [1, 4], "factors[0, 1] (b) is nan, not a whole number in [0, 4)"),
    ([[0, np.inf]], [1, 4], "factors[0, 1] (b) is inf, not a whole number in [0, 4)"),
    ([[0, -np.inf]], [1, 0], "factors[0, 1] (b) is -inf, not a finite number"),
    ([[np.nan, 0]], [0, 1], "factors[0, 0] (a) is nan, not a finite number"),
    ([[0, 2**53]], [None, None], "(b) is 9007199254740992, not a whole number in [0, 9007199254"),
    ([[0, 2**64 - 1]], [None, None], "(b) is 18446744073709551615, not a whole number in [0, 90"),
    ([[0, 1]], [-1, 2], "factor_sizes[0] (a) is -1, not in [0, 9007199254740992]"),
    ([[0, 1]], [2, 2**60], "factor_sizes[1] (b) is 1152921504606846976, not in [0, 90071992547"),
    ([["0", "1"]], [None, None], "factors is <U1, not integers or floats"),
    ([[1j, 0]], [None, None], "factors is complex128, not integers or floats"),
    ([[None, 0]], [None, None], "factors is object, not integers or floats"),
  ],
)
def test_wrong_factor_is_named_with_its_row_and_value(factors, sizes, message):
  kind = np.uint64 if factors == [[0, 2**64 - 1]] else None
  with pytest.raises(ValueError, match=re.escape(message)):
    factor_table.check_factors(np.array(factors, kind), NAMES, sizes)


def test_rows_can_have_names():
  with pytest.raises(ValueError, match=r"^b of y\.png is 4, not a whole number in \[0, 4\)$"):
    factor_table.check_factors(np.array([[0, 1], [0, 4]]), NAMES, [1, 4], ["x.png", "y.png"])


def test_names_that_can_be_told_apart_and_printed():
  factor_table.check_names([])
  factor_table.check_names(["shape", "pos X", "größe", "x" * 200])


@pytest.mark.parametrize(
  ("names", "message"),
  [
    (["a", "b", "a"], "two factors have the name 'a'"),
    (["a", ""], "the name '' of factor 1 is empty, not printable"),
    (["a\n"], r"the name 'a\\n' of factor 0 is"),
    (["\ud800"], r"the name '\\ud800' of factor 0 is"),
    (["x" * 201], "longer than 200 characters"),
    ([str(i) for i in range(1001)], "it has 1001 factors, more than 1000"),
  ],
)
def test_other_names_are_refused(names, message):
  with pytest.raises(ValueError, match=message):
    factor_table.check_names(names)
