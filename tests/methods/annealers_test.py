import pytest
import tensorflow as tf

from dl_condind.methods import annealers
from dl_condind.utils import errors

STEPS = (0, 10, 100, 101, 250)


@pytest.mark.parametrize(
  "annealer, expected",
  [
    (annealers.fixed, [40, 40, 40, 40, 40]),
    (annealers.anneal, [0, 4, 40, 40, 40]),
    (annealers.fine_tune, [0, 0, 0, 40, 40]),
  ],
)
def test_weights_at_steps_are_those_of_disentanglement_lib(annealer, expected):
  found = [float(annealer(40.0, tf.constant(step, tf.int64), 100)) for step in STEPS]
  assert found == pytest.approx(expected, rel=1e-6)


def test_a_fixed_weight_needs_no_threshold():
  assert annealers.fixed(3.0, tf.constant(7, tf.int64), None) == 3.0


@pytest.mark.parametrize("annealer, lowest", [(annealers.anneal, 1), (annealers.fine_tune, 0)])
@pytest.mark.parametrize("threshold", [None, -1])
def test_no_threshold_is_one_line(annealer, lowest, threshold):
  with pytest.raises(
    errors.ConfigError,
    match=rf"^annealer\.iteration_threshold must be a number of steps, at least {lowest}, for "
    rf"{annealer.__name__}, got {threshold}\.$",
  ):
    annealer(1.0, tf.constant(0, tf.int64), threshold)
