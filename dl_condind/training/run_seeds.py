"""The seeds that a run derives from its own."""

import numpy as np


class Seeds:
  """The seeds of a run. Those of training and evaluation data are drawn as in disentanglement_lib.

  Attributes:
    data: Seeds the training batches.
    evaluation_data: Seeds the batches of the final evaluation.
    weights: Seeds the initial weights.
    noise: Seeds the noise and any other draw in a training step.
    evaluation_noise: Seeds the noise of the final evaluation.
  """

  def __init__(self, random_seed: int, unsupervised_data_seed: int | None = None):
    """Derives them; arguments as the attributes of `Settings`."""
    data_seed = random_seed if unsupervised_data_seed is None else unsupervised_data_seed
    random_state = np.random.RandomState(data_seed)
    self.data = int(random_state.randint(2**32))
    self.evaluation_data = int(random_state.randint(2**32))
    words = np.random.SeedSequence(random_seed).generate_state(3) >> 1  # TensorFlow's are signed.
    self.weights, self.noise, self.evaluation_noise = words.tolist()
