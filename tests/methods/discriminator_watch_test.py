import pytest
import tensorflow as tf

from dl_condind.methods import discriminator_watch

WINDOW = discriminator_watch.WINDOW


def watch(accuracies, start=0, watched=None):
  """Returns a watch that was told accuracies, from step start on."""
  watched = watched or discriminator_watch.DiscriminatorWatch()
  update = tf.function(watched.update)
  for step, accuracy in enumerate(accuracies, start=start):
    update(tf.constant(step, tf.int64), tf.constant(accuracy))
  return watched


@pytest.mark.parametrize(
  ("accuracies", "collapses"),
  [
    ([1.0] * WINDOW, True),
    ([1.0] * (WINDOW - 1), False),  # The window is not over.
    ([0.98] * WINDOW, False),
    ([0.995] * WINDOW, True),
    ([0.5] + [1.0] * (WINDOW - 1), True),  # A single step does not count.
    ([0.5] * (WINDOW // 2) + [1.0] * WINDOW, False),  # Half of each of two windows.
  ],
)
def test_a_window_that_is_almost_always_right_is_a_collapse(accuracies, collapses):
  problem = watch(accuracies).problem()
  assert (problem is not None) == collapses
  if collapses:
    assert "at least 99% of cases in steps 0 to 499" in problem
    assert "lower the discriminator's learning rate" in problem


def test_the_first_collapse_is_remembered():
  watched = watch([0.7] * WINDOW + [1.0] * WINDOW + [0.7] * WINDOW + [1.0] * WINDOW)
  assert "in steps 500 to 999" in watched.problem()


def test_a_window_goes_on_after_a_checkpoint(tmp_path):
  checkpoint = tf.train.Checkpoint(watch=watch([1.0] * 300))
  path = checkpoint.write(str(tmp_path / "checkpoint"))
  restored = discriminator_watch.DiscriminatorWatch()
  tf.train.Checkpoint(watch=restored).read(path).assert_consumed()
  watch([1.0] * (WINDOW - 300), start=300, watched=restored)
  assert restored.problem()
