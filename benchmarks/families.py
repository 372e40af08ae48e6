"""Times the training step of each posterior family, and what its cost to a decoder takes.

A beta-VAE of each family is trained on dSprites with the paper's networks. The families take turns,
a call of 20 steps each, so that a slow spell of the machine hits all of them; each
round divides the times by that of independent noise, and the ratio is the median over rounds.
Prints two Markdown tables. Run it on an idle machine.

Usage: python benchmarks/families.py --threads=2 --rounds=30
"""

import os
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app
from absl import flags
import numpy as np
import own_step
from peers import step_timing
import tensorflow as tf

import dl_condind as dl
from dl_condind.data import reading
from dl_condind.evaluation.densities import family_cost

NUM_LATENT = 10
NUM_IMAGES = 1000  # of the Fisher information
CHUNK = 20  # images, as `evaluation.decoder_samples`

_ROUNDS = flags.DEFINE_integer("rounds", 30, "Calls of 20 steps of each family.", lower_bound=2)


def families() -> dict[str, dl.posteriors.Posterior]:
  """Returns a posterior of each family by name, independent noise first."""
  posteriors = dl.posteriors
  return {
    "independent": posteriors.Independent(),
    "equicorrelated": posteriors.Equicorrelated(0.9),
    "rotated": posteriors.Rotated(seed=0),
    "isotropic": posteriors.Isotropic(),
    "learned_correlation": posteriors.LearnedCorrelation(),
    "full": posteriors.Full(),
  }


def time_steps() -> None:
  """Prints the milliseconds of a step of each family."""
  count = tf.constant(step_timing.STEPS_PER_CALL, tf.int64)
  loops = {
    name: own_step.make_loop(dl.BetaVAE(4.0, posterior=posterior), step_timing.threads())
    for name, posterior in families().items()
  }
  seconds = {name: [] for name in loops}
  for call in range(_ROUNDS.value + 1):
    for name, loop in loops.items():
      start = time.perf_counter()
      scalars = loop.run_steps(tf.constant(call * step_timing.STEPS_PER_CALL, tf.int64), count)
      scalars["loss"].numpy()
      seconds[name].append((time.perf_counter() - start) / step_timing.STEPS_PER_CALL)
  print("| family | step | of independent |\n| --- | ---: | ---: |")
  timed = {name: np.array(values[1:]) for name, values in seconds.items()}  # The first compiles.
  for name, values in timed.items():
    ratio = np.median(values / timed["independent"])
    print(f"| `{name}` | {1000 * np.median(values):.1f} ms | {ratio:.3f} |")


def time_costs() -> None:
  """Prints the seconds of the Fisher information and of the cost of each family."""
  model = dl.BetaVAE(4.0)
  own_step.make_loop(model, step_timing.threads())
  gram = tf.function(model.fisher_gram)
  codes = np.random.default_rng(0).standard_normal((NUM_IMAGES, NUM_LATENT)).astype(np.float32)
  gram(codes[:CHUNK])
  start = time.perf_counter()
  grams = np.concatenate([gram(codes[i : i + CHUNK]) for i in range(0, NUM_IMAGES, CHUNK)])
  seconds = {"Fisher information": time.perf_counter() - start}
  precision = np.eye(NUM_LATENT) + grams.astype(np.float64)
  correlation = 0.1 * np.eye(NUM_LATENT) + 0.9
  rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((NUM_LATENT, NUM_LATENT)))[0]
  costs = {
    "cost of equicorrelated": lambda: family_cost.fixed_correlation(precision, correlation),
    "cost of rotated": lambda: family_cost.rotated(precision, rotation),
    "cost of isotropic": lambda: family_cost.isotropic(precision),
  }
  for name, compute in costs.items():
    start = time.perf_counter()
    compute()
    seconds[name] = time.perf_counter() - start
  print(f"\n| of {NUM_IMAGES} images | time |\n| --- | ---: |")
  for name, value in seconds.items():
    print(f"| {name} | {value:.2f} s |")
  kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  print(f"| memory of the whole process, at most | {kilobytes / 1e6:.2f} GB |")


def main(argv: list[str]) -> None:
  """Prints both tables."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  os.environ.setdefault(reading.DATA_FOLDER_VARIABLE, str(own_step.DATA))
  tf.get_logger().setLevel("ERROR")  # It warns that several loops are compiled.
  time_costs()
  print()
  time_steps()


if __name__ == "__main__":
  app.run(main)
