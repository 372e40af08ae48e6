"""Notices when the discriminator of a GAN has won."""

import tensorflow as tf

# A discriminator that is right this often, on average over this many steps, gives the generator no
# gradient to learn from.
ACCURACY = 0.99
WINDOW = 500  # steps


class DiscriminatorWatch(tf.Module):
  """Averages the discriminator's accuracy over consecutive windows of steps.

  It belongs into checkpoints: a run that is continued in the middle of a window must not lose it.
  """

  def __init__(self):
    super().__init__()
    self._sum = tf.Variable(0.0, name="accuracy_sum")  # Over the window so far.
    self._collapse_step = tf.Variable(-1, dtype=tf.int64, name="collapse_step")

  def update(self, step: tf.Tensor, accuracy: tf.Tensor) -> None:
    """Takes note of a step.

    Args:
      step: Number of the step, from 0, int64.
      accuracy: Of the discriminator, in [0, 1].
    """
    total = self._sum + accuracy
    ends = (step + 1) % WINDOW == 0
    is_first_collapse = ends & (total >= ACCURACY * WINDOW) & (self._collapse_step < 0)
    self._collapse_step.assign(tf.where(is_first_collapse, step + 1, self._collapse_step))
    self._sum.assign(tf.where(ends, 0.0, total))

  def problem(self) -> str | None:
    """Returns what happened in the first window with a collapse, None if there was none."""
    step = int(self._collapse_step)
    if step < 0:
      return None
    return (
      f"the discriminator was right in at least {ACCURACY:.0%} of cases in steps {step - WINDOW} "
      f"to {step - 1}, so the generator learns little from it: choose another seed or lower the "
      "discriminator's learning rate."
    )
