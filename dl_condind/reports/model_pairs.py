"""Pictures of two models of a study side by side: lowest against highest correlation."""

from collections.abc import Sequence
import itertools

from dl_condind.reports import families
from dl_condind.reports import figures
from dl_condind.reports import study_runs
from dl_condind.utils import files
from dl_condind.utils import run_config

Pair = tuple[study_runs.Run, study_runs.Run]


def choose(settings: study_runs.Settings) -> Pair | None:
  """Returns a run of the lowest and one of the highest correlation, whose models are stored.

  They are of one setting; runs that did not fail in a way that a measure tells if there are any,
  and of the same seed if there is one, in the first setting that has such a pair.
  """
  pairs: list[Pair] = []
  for runs in settings.values():
    stored = [run for run in runs if (run.model.saved_model / files.MANIFEST).is_file()]
    extremes = study_runs.extremes(stored)
    if extremes:
      pairs += itertools.product(*extremes)
  return min(pairs, key=_preference, default=None)


def _preference(pair: Pair) -> tuple[bool, bool]:
  return any(run.failures for run in pair), pair[0].seed != pair[1].seed


def draw(
  pair: Pair, trust_gin_imports: bool = False, trust_model: bool = False
) -> Sequence[figures.Drawn]:
  """Returns pictures of two models of one setting.

  Args:
    pair: The runs.
    trust_gin_imports: Whether to run the modules that the trainings imported.
    trust_model: Whether models may have operations that no model of this package has.

  Raises:
    DatasetError: If a model or its log is damaged or the data set cannot be read.
    ConfigError: If the data set needs an import that is not trusted.
  """
  from dl_condind.saved_models import saved_model  # It needs TensorFlow.

  described = " and ".join(map(_describe, pair))
  with saved_model.trusting(trust_model):
    return families.of(pair[0]).figures.draw_models(pair, described, trust_gin_imports)


def _describe(run: study_runs.Run) -> str:
  correlation = run_config.name_correlation(run.correlation_label)
  return f"run {run.name} ({correlation}, seed {run.seed}{', collapsed' * bool(run.failures)})"
