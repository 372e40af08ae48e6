"""Compares estimators of total correlation and mutual information where the truth is known.

Writes docs/estimators.md: what each estimator says about Gaussian encoders with a closed form.
Every number follows from fixed seeds. With --coverage it writes instead how often the intervals
contain the mean of their estimator and the truth. With --scale it prints how long the mixtures of
as many posteriors as dSprites has images take and what memory the process needs.

Usage: python benchmarks/estimators.py --output=docs/estimators.md
       python benchmarks/estimators.py --coverage --output=docs/estimators_coverage.md
       python benchmarks/estimators.py --scale
"""

import multiprocessing
import pathlib
import resource
import sys
import time

from absl import app
from absl import flags
import gaussian_models
import interval_coverage
import numpy as np

from dl_condind.evaluation.densities import gaussian_posteriors
from dl_condind.evaluation.densities import marginals
from dl_condind.evaluation.densities import mixtures
from dl_condind.evaluation.metrics import information_estimators

NUM_POSTERIORS = 10_000
DSPRITES_ROWS = 737_280

# num_latent, stddev, correlation of the noise, correlation of the means.
MODELS = [
  *((j, s, c, 0.0) for j in (2, 10) for s in (0.1, 0.3, 0.6) for c in (0.0, 0.9)),
  *((10, s, c, 0.5) for s in (0.3, 0.6) for c in (0.0, 0.9)),
  *((10, s, 0.0, 1.0) for s in (0.1, 0.001)),
]

_OUTPUT = flags.DEFINE_string("output", None, "File to write; standard output without it.")
_COVERAGE = flags.DEFINE_boolean("coverage", False, "Count how often intervals cover.")
_SCALE = flags.DEFINE_boolean("scale", False, "Measure the mixtures of 737,280 posteriors.")
_NUM_POINTS = flags.DEFINE_integer("num_points", 2000, "Samples of z, with --scale.")

HEAD = """# Estimators of total correlation and mutual information

Written by `python benchmarks/estimators.py --output=docs/estimators.md`; every number follows from
its seeds. All values are in nats.

The encoders are linear-Gaussian, so the truth is a closed form: x ~ N(0, I), mean = W x, fixed
`stddev`, noise correlation R = (1 - c) I + c 1 1^T, hence z ~ N(0, W W^T + stddev^2 R). W is chosen
so that every z_j has variance 1 and the means of any two latents have correlation `means`. J is the
number of latents. {num_posteriors:,} observations of x stand for the data set.

The settings are the defaults of `information_estimators`: 2,000 z for the mixtures and the
Gaussian, 10,000 for the classifier, 30 minibatches of B = 64 observations with 30 z each.

## The estimators

Total correlation (TC) is the mean of log q(z) - sum_j log q(z_j) over z, mutual information (MI)
that of log q(z|x) - log q(z). The estimators differ in q(z). N is the number of posteriors.

- `all_data`: the mixture of all N posteriors. It is exact if there are no other posteriors. If they
  are a sample of a larger population, log q(z) and every log q(z_j) are too high on average. Then
  MI is a lower bound, at most log N. TC is too high where latents depend little on each other, and
  too low where they depend strongly (see below).
- `leave_one_out`: the same without the posterior that z was drawn from. Every log density is too
  low on average. So MI is an upper bound. TC is too low where latents depend little on each other;
  where they depend strongly, it can be too low or too high.
- `minibatch`: the mixture of the minibatch (Appendix D of Yang et al., 2020). It errs as `all_data`
  does, but more. TC is at most about (J - 1) log B + TC(z given x), MI at most log B.
- `minibatch_weighted`: the logarithm of that mixture minus log N (Eq. 6 of Chen et al., 2018). TC
  is (J - 1) log N above `minibatch`, MI log N above it.
- `minibatch_stratified`: a mixture with weights whose expectation is q(z) (appendix C.2 of the same
  paper). Its logarithm is not unbiased. TC can be too high or too low; MI is at most log N.
- `gaussian`: the Gaussian with the moments of z. TC is that of the correlations only, and MI is an
  upper bound.
- `density_ratio`: does not estimate q(z), but takes the held-out log odds of a classifier with
  quadratic features. TC is the dependence that these features see. TC and MI are too low if they
  exceed the logarithm of the number of points.

## The direction of the bias of TC

TC has log q(z) once, and log q(z_j) J times with a minus sign. The fewer posteriors are near a
point, the more the mixture overstates the density there (`all_data`, `minibatch`) or understates it
(`leave_one_out`).

- Latents that depend little on each other fill J dimensions, where fewer posteriors are near a
  point than in one dimension. The error of log q(z) outweighs the J errors of log q(z_j):
  `all_data` is above the truth and `leave_one_out` below it.
- Latents that depend strongly fill fewer dimensions; with `means` = 1 they fill only a line. In
  `all_data` and `minibatch` the J errors of log q(z_j) outweigh that of log q(z), and both are
  below the truth. In `leave_one_out` the errors nearly cancel, so it can be above or below. With N
  = 64, J = 10 and stddev 0.1, `all_data` and `leave_one_out` are both below (a test checks this).

So the truth need not lie between `all_data` and `leave_one_out`. Their difference tells roughly how
large the bias is, but not its direction. MI contains log q(z) alone, so it has the bias of q(z)
without that of the latents: in the row of `means` = 1 and stddev 0.001 the intervals of TC overlap
while the MIs are far apart.

## Which to trust when

1. **`all_data` and `leave_one_out` agree** to within their intervals, in TC and in MI: trust
   either. This is so where posteriors are wide or latents few.
2. **They disagree**: the posteriors are too narrow for N.
   - If the posteriors are a sample, the true MI is on average between the two. The true TC is so
     only where latents depend little on each other. Raise N if that can help: the narrower the
     posteriors and the more latents, the less it helps.
   - If the posteriors are those of every row of a data set (`all_rows` in the record), `all_data`
     is exact for that data set. But any N narrow posteriors have a large TC, as the null shows:
     compare models only at the same N.
3. **`gaussian` and `density_ratio` have null values near 0**, however narrow the posteriors are. So
   they tell small dependence from none where the mixtures cannot. They see dependence of second
   order only.
   - An interval above 0 does not show dependence by itself. Where latents are independent,
     `gaussian` is never below 0 and about J (J - 1) / (4 num_points) above it, so compare its
     interval with its null. `density_ratio` is nearly unbiased there, and [its
     interval](estimators_coverage.md) nearly always contains 0. But if you look at many models and
     the interval of one of them just misses 0, that is not evidence.
   - An interval around 0 does not show independence.
   - In these tables both are right (`density_ratio` up to the logarithm of the number of points),
     because q(z) is Gaussian here. That of a trained encoder need not be.
4. **MI near its bound** says "at least this" and nothing else. The bound is log N for `all_data`
   and `minibatch_stratified`, and log B for `minibatch`. `leave_one_out` bounds MI from the other
   side and can be far off.
5. **`minibatch` is for comparison with the paper**, together with its null. `minibatch_weighted` is
   a penalty to train with: its constants are not part of the truth.
6. **Density.** z is drawn with the encoder's noise. `factorized` treats q(z|x) as diagonal, as
   the paper does. At c > 0 the value is neither the truth of this encoder nor that of one with
   independent noise, and it hardly sees c. Use `full`.
7. **The null of TC has independent noise.** Correlated noise fills less volume, so the mixtures are
   biased more than their null shows. At c > 0 look at how far `all_data` and `leave_one_out`
   differ. The metric `total_correlation` has a second null whose noise is as correlated as the
   encoder's.
8. **The null of MI** pairs each z with the x of another observation. The classifier learns that x
   says nothing, so its null is 0. The other estimators take the density of the wrong posterior, so
   their nulls are below 0, apart from the constant of `minibatch_weighted`.
9. **Intervals show sampling variation, not bias.** They should contain, in 95 % of repetitions, the
   mean of the estimator over other observations and other z. A narrow interval far from the truth
   is common.
   - [How often they do](estimators_coverage.md) was counted: 0.91 to 1.00, but 0.84 to 0.89 for MI
     that saturates near its bound. For the classifier it is less still where posteriors are
     narrower than in those models.
   - The classifier is fitted to its points. Its interval includes the error of the fit, to first
     order.
   - For the mixtures and the Gaussian, the bootstrap resamples z and leaves the densities as they
     are.
   - Minibatches share observations. Their interval includes an upper bound of what that adds. There
     are few minibatches, so it is Student's.
"""


def main(argv: list[str]) -> None:
  """Writes the tables or measures."""
  if len(argv) > 1:
    raise app.UsageError("Unexpected arguments.")
  if _SCALE.value:
    measure_scale(_NUM_POINTS.value)
    return
  if _COVERAGE.value:
    text = interval_coverage.page()
  else:
    text = "\n".join([HEAD.format(num_posteriors=NUM_POSTERIORS), *sections()])
  if _OUTPUT.value:
    pathlib.Path(_OUTPUT.value).write_text(text, encoding="utf-8")
  else:
    print(text)


def sections() -> list[str]:
  """Returns the tables: one overview of each quantity, then one of each model."""
  overview = {quantity: [] for quantity in information_estimators.QUANTITIES}
  details = []
  with multiprocessing.Pool() as pool:
    estimated = pool.map(estimates_of, range(len(MODELS)), chunksize=1)
  for model, (truth, results) in zip(MODELS, estimated, strict=True):
    for quantity, lines in overview.items():
      values = [
        truth[quantity],
        *(results["full"][f"{quantity}.{n}"] for n in information_estimators.ESTIMATORS),
      ]
      lines.append(
        gaussian_models.row([*(f"{x:g}" for x in model), *(f"{x:z.2f}" for x in values)])
      )
    details += details_of(model, truth, results)
  columns = [
    "J",
    "stddev",
    "c",
    "means",
    "truth",
    *(f"`{n}`" for n in information_estimators.ESTIMATORS),
  ]
  lines = []
  for quantity, rows in overview.items():
    title = quantity.replace("_", " ").capitalize()
    lines += [f"## {title}, full density", "", *gaussian_models.table_head(columns), *rows, ""]
  return [*lines, "## Every model with null values and intervals", "", *details]


def estimates_of(number: int) -> tuple[dict[str, float], dict[str, dict]]:
  """Returns the truth of a model and the estimates by density."""
  model, start = MODELS[number], time.perf_counter()
  posteriors, truth = gaussian_models.gaussian_encoder(model, NUM_POSTERIORS, seed=number)
  results = {
    density: information_estimators.estimate(
      *posteriors, np.random.RandomState(number), density=density
    )
    for density in (("full",) if model[2] == 0 else ("full", "factorized"))
  }
  print(f"{model}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
  return truth, results


def details_of(
  model: gaussian_models.Model, truth: dict[str, float], results: dict[str, dict]
) -> list[str]:
  """Returns the table of one model."""
  num_latent, stddev, correlation, of_means = model
  columns = ["estimator", "density", "TC", "null", "95 %", "MI", "null", "95 %"]
  lines = [
    f"### J = {num_latent}, stddev = {stddev:g}, c = {correlation:g}, means = {of_means:g}",
    "",
    f"Truth: total correlation {truth['total_correlation']:z.3f}, mutual information "
    f"{truth['mutual_information']:.3f}.",
    "",
    *gaussian_models.table_head(columns),
  ]
  for density, found in results.items():
    for name in information_estimators.ESTIMATORS:
      cells = [f"`{name}`", density]
      for quantity in information_estimators.QUANTITIES:
        value, null, low, high = (
          found[f"{quantity}.{name}{e}"] for e in ("", "_null", "_low", "_high")
        )
        cells += [f"{value:z.3f}", f"{null:z.3f}", f"{low:z.3f} to {high:z.3f}"]
      lines.append(gaussian_models.row(cells))
  return [*lines, ""]


def measure_scale(num_points: int) -> None:
  """Prints time and peak memory of the mixtures of as many posteriors as dSprites has images.

  The posteriors have every latent a width of its own and correlated noise, float32 scales as an
  encoder's. Both mixtures, of all posteriors and without the own one, come from one pass.
  """
  random_state = np.random.RandomState(0)
  num_latent = 10
  mean = random_state.standard_normal((DSPRITES_ROWS, num_latent))
  stddev = np.exp(0.5 * random_state.standard_normal(mean.shape) - 1)
  root = np.linalg.cholesky(0.1 * np.eye(num_latent) + 0.9).astype(np.float32)
  scale_tril = stddev.astype(np.float32)[:, :, None] * root
  own = random_state.permutation(DSPRITES_ROWS)[:num_points]
  z = gaussian_posteriors.sample_mixture(mean[own], scale_tril[own], 1, random_state)
  for density in mixtures.DENSITIES:
    start = (time.perf_counter(), time.process_time())
    log_q = marginals.of_all_data(z, own, mean, stddev, scale_tril if density == "full" else None)
    elapsed, processor = time.perf_counter() - start[0], time.process_time() - start[1]
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB.
    total_correlation = {
      name: round(float(np.mean(values[0] - values[1:].sum(axis=0))), 3)
      for name, values in log_q.items()
    }
    print(
      f"{DSPRITES_ROWS:,} posteriors of {num_latent} latents, {num_points:,} z, {density}: "
      f"{elapsed:.0f} s ({processor:.0f} s of processor time), process peak {megabytes:.0f} MB so "
      f"far; {total_correlation}"
    )


if __name__ == "__main__":
  app.run(main)
