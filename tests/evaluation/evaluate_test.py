import re
import shutil
import sys

import numpy as np
import pytest

from dl_condind.evaluation import evaluate
from dl_condind.evaluation import evaluate_udr  # noqa: F401 (registers `udr`)
from dl_condind.postprocessing import postprocess
from dl_condind.training import train
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import progress_lines
from dl_condind.utils import results

MIG = (["metrics/mig.gin"], ["mig.num_train = 100"])
UNSUPERVISED = (["metrics/unsupervised.gin"], ["unsupervised_metrics.num_train = 100"])
VAE_TERMS = (["metrics/vae_terms.gin"], ["vae_terms.num_points = 100"])
TOTAL_CORRELATION = (
  ["metrics/total_correlation.gin"],
  ["total_correlation.num_posteriors = 16", "total_correlation.num_repeats = 2"],
)
METRICS = {
  "mig": MIG,
  "unsupervised": UNSUPERVISED,
  "vae_terms": VAE_TERMS,
  "total_correlation": TOTAL_CORRELATION,
}
UNREPEATABLE = ("elapsed_time", "uuid")

OWN_METRIC = """
import gin


@gin.configurable("spread_of_evaluate_test", denylist=["ground_truth_data"])
def compute_spread(
  ground_truth_data, representation_function, random_state, artifact_dir=None, num_points=10
):
  observations = ground_truth_data.sample_observations(num_points, random_state)
  representations = representation_function(observations)
  return {"spread": representations.std(), "shape": list(representations.shape)}
"""


@pytest.fixture(autouse=True)
def _load_anew():
  """Forgets the representations that earlier tests loaded, as a new process would."""
  evaluate._load.cache_clear()


@pytest.fixture
def run(trained_run, tmp_path):
  """A copy of a trained run."""
  shutil.copytree(trained_run, tmp_path / "run")
  return tmp_path / "run"


def evaluate_metric(input_dir, output_dir, metric, overwrite=False, bindings=()):
  """Evaluates a metric on few points and returns its repeatable results."""
  gin_files, sizes = metric
  evaluate.evaluate_with_gin(input_dir, output_dir, overwrite, gin_files, [*sizes, *bindings])
  values = results.read_results(output_dir, "evaluation")
  return {key: value for key, value in values.items() if key not in UNREPEATABLE}


def state(directory):
  """Returns when each file of a folder was written, but for its locks."""
  return {p: p.stat().st_mtime_ns for p in directory.rglob("*") if p.name != ".lock"}


@pytest.mark.parametrize("name", ["mean", pytest.param("sampled", marks=pytest.mark.slow)])
def test_values_repeat_after_loading_anew_and_in_any_order(trained_run, tmp_path, name):
  input_dir = trained_run / "postprocessed" / name
  values = []
  for attempt, order in enumerate([list(METRICS), list(METRICS)[::-1]]):
    evaluate._load.cache_clear()
    values.append(
      {
        metric: evaluate_metric(input_dir, tmp_path / f"{attempt}" / metric, METRICS[metric])
        for metric in order
      }
    )
  assert values[0] == values[1]
  evaluate._load.cache_clear()
  seed = ["evaluation.random_seed = 1"]
  other = evaluate_metric(input_dir, tmp_path / "other", UNSUPERVISED, bindings=seed)
  assert (
    other["gaussian_total_correlation"] != (values[0]["unsupervised"]["gaussian_total_correlation"])
  )


def test_a_metric_says_what_it_computes(trained_run, tmp_path, monkeypatch, caplog):
  monkeypatch.setattr(progress_lines, "SECONDS_PER_HEARTBEAT", 0.02)
  caplog.set_level("INFO", logger="absl")
  input_dir = trained_run / "postprocessed" / "mean"
  evaluate_metric(input_dir, tmp_path / "mine", UNSUPERVISED)
  first, *beats, last = [record.getMessage() for record in caplog.records]
  assert first == f"Computing unsupervised_metrics of {input_dir}."
  beat = re.compile(r"Computing unsupervised_metrics: \d+ s so far")
  assert [line for line in beats if not beat.fullmatch(line)] == []
  assert last.startswith(f"Evaluated {tmp_path}/mine: {{'gaussian_total_correlation': ")


def test_values_are_those_of_the_model(trained_run, tmp_path):
  c = 0.9
  for name in ("mean", "sampled"):
    input_dir = trained_run / "postprocessed" / name
    terms = evaluate_metric(input_dir, tmp_path / name / "vae_terms", VAE_TERMS)
    # -1/2 log det R of four latents, whatever the weights and the representation are.
    expected = -0.5 * np.log((1 - c) ** 3 * (1 + 3 * c))
    assert terms["conditional_total_correlation"] == pytest.approx(expected, rel=1e-5)
    assert terms["kl_loss"] == pytest.approx(sum(terms["kl_loss_per_latent"]), rel=1e-5)
  # Noise of correlation 0.9 is seen in samples of a model that has learnt next to nothing.
  correlations = [
    evaluate_metric(
      trained_run / "postprocessed" / name, tmp_path / name / "unsupervised", UNSUPERVISED
    )["gaussian_total_correlation"]
    for name in ("mean", "sampled")
  ]
  assert correlations[1] > correlations[0]


def test_a_model_without_representation_is_refused(trained_run, tmp_path):
  with pytest.raises(errors.ConfigError, match=r"A VAE is postprocessed before it is evaluated"):
    evaluate_metric(trained_run / "model", tmp_path, MIG, bindings=["dataset.name = 'dummy_data'"])
  assert not results.is_complete(tmp_path, "evaluation")


def test_a_representation_that_is_missing_or_damaged_is_refused(run):
  with pytest.raises(errors.DatasetError, match=r"absent: there is no such folder"):
    evaluate_metric(run / "absent", run / "new", MIG)
  input_dir = run / "postprocessed" / "mean"
  weights = input_dir / "saved_model" / "variables" / "variables.data-00000-of-00001"
  content = bytearray(weights.read_bytes())
  content[10] ^= 1
  weights.write_bytes(content)
  with pytest.raises(errors.DatasetError, match=r"variables\.data-.* has changed since"):
    evaluate_metric(input_dir, run / "new", MIG)
  assert not (run / "new" / "results").exists()


def test_the_record_holds_those_of_the_stages_before(trained_run, tmp_path):
  evaluate_metric(trained_run / "postprocessed" / "sampled", tmp_path, MIG)
  record = results.read_aggregate(tmp_path / "results" / "aggregate" / "evaluation.json")
  assert record["train_config.vae.beta"] == "1.0"
  assert record["train_config.equicorrelated.correlation"] == "0.9"
  assert record["train_results.global_step"] == 2
  assert record["train_provenance.random_seed"] == 0
  assert record["postprocess_config.postprocess.postprocess_fn"] == "@sampled_representation"
  assert record["evaluation_config.mig.num_train"] == "100"
  assert record["evaluation_config.dataset.name"] == "'dummy_data'"
  assert 0 <= record["evaluation_results.discrete_mig"] <= 1
  assert record["evaluation_results.elapsed_time"] > 0
  uuids = {record[f"{step}_results.uuid"] for step in ("train", "postprocess", "evaluation")}
  assert len(uuids) == 3
  assert record["evaluation_provenance.random_seed"] == 0
  assert record["evaluation_provenance.dataset"] == "dummy_data"
  assert record["evaluation_provenance.dataset_source"] == record["train_provenance.dataset_source"]
  for name in ("dl_condind", "tensorflow", "numpy", "python", "scikit-learn"):
    assert record[f"evaluation_provenance.{name}"]
  digest = files.manifest_digest(trained_run / "postprocessed" / "sampled" / "saved_model")
  assert record["evaluation_provenance.input_sha256"] == digest


def test_the_same_call_again_does_nothing(trained_run, tmp_path):
  input_dir = trained_run / "postprocessed" / "mean"
  evaluate_metric(input_dir, tmp_path, MIG)
  before = state(tmp_path)
  evaluate_metric(input_dir, tmp_path, MIG)
  assert state(tmp_path) == before


def test_other_settings_are_refused_with_the_difference_and_overwritten_if_asked(
  trained_run, tmp_path
):
  input_dir = trained_run / "postprocessed" / "mean"
  evaluate_metric(input_dir, tmp_path, MIG)
  before = state(tmp_path)
  with pytest.raises(
    errors.ConfigError,
    match=r"other settings: mig\.num_train = 100; mig\.num_train = 90\..*overwrite=True",
  ):
    evaluate_metric(input_dir, tmp_path, MIG, bindings=["mig.num_train = 90"])
  assert state(tmp_path) == before
  evaluate_metric(input_dir, tmp_path, MIG, overwrite=True, bindings=["mig.num_train = 90"])
  record = results.read_aggregate(tmp_path / "results" / "aggregate" / "evaluation.json")
  assert record["evaluation_config.mig.num_train"] == "90"


@pytest.mark.slow
def test_the_representation_of_a_retrained_model_is_refused(run, tiny_training):
  metric_dir = run / "metrics" / "mean" / "mig"
  input_dir = run / "postprocessed" / "mean"
  evaluate_metric(input_dir, metric_dir, MIG)
  bindings = [*tiny_training, "model.random_seed = 1"]
  train.train_with_gin(run / "model", True, ["shared.gin", "methods/vae.gin"], bindings)
  postprocess.postprocess_with_gin(run / "model", input_dir, True, ["postprocess/mean.gin"])
  with pytest.raises(errors.ConfigError, match="was made from another model.*overwrite=True"):
    evaluate_metric(input_dir, metric_dir, MIG)
  evaluate_metric(input_dir, metric_dir, MIG, overwrite=True)
  record = results.read_aggregate(metric_dir / "results" / "aggregate" / "evaluation.json")
  assert record["train_config.model.random_seed"] == "1"


def test_an_interrupted_evaluation_is_completed(trained_run, tmp_path):
  input_dir = trained_run / "postprocessed" / "mean"
  values = evaluate_metric(input_dir, tmp_path, MIG)
  files.remove_directory(tmp_path / "results")
  leftover = tmp_path / ".results.x1y2z3ab.tmp"  # What a killed process leaves.
  leftover.mkdir()
  (leftover / "writer.lock").touch()
  assert evaluate_metric(input_dir, tmp_path, MIG) == values
  assert not leftover.exists()


def test_a_failing_overwrite_leaves_no_record(trained_run, tmp_path):
  input_dir = trained_run / "postprocessed" / "mean"
  evaluate_metric(input_dir, tmp_path, MIG)
  with pytest.raises(errors.ConfigError, match="at least 1"):
    evaluate_metric(input_dir, tmp_path, MIG, overwrite=True, bindings=["mig.num_train = 0"])
  assert not results.is_complete(tmp_path, "evaluation")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(trained_run, tmp_path, seed):
  with pytest.raises(errors.ConfigError, match=r"evaluation\.random_seed must be in \[0, 2\*\*32"):
    evaluate_metric(
      trained_run / "postprocessed" / "mean",
      tmp_path / "new",
      MIG,
      bindings=[f"evaluation.random_seed = {seed}"],
    )
  assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
  "binding",
  [
    "evaluation.evaluation_fn = @mig_validation",
    "evaluation.evaluation_fn = @histogram_discretizer",
    "evaluation.evaluation_fn = @mig()",
    "udr.evaluation_fn = @mig",
    "fixed_data.validation_fn = @mig",
    "predictor.predictor_fn = @logistic_regression_cv()",
    "discretizer.discretizer_fn = @mig",
  ],
)
def test_a_function_of_another_kind_is_refused(binding):
  with pytest.raises(errors.ConfigError, match=r"_fn must be .*, got @\w+(\(\))?\."):
    configs.parse([], [binding])


@pytest.mark.parametrize(
  "binding",
  [
    "evaluation.evaluation_fn = @fixed_data",
    "evaluation.evaluation_fn = @infogan_disentanglement",
    "evaluation.evaluation_fn = @unified_scores",
    "evaluation.evaluation_fn = @udr_sklearn",  # For dl_condind_udr.
    "udr.evaluation_fn = @udr_sklearn",
    "fixed_data.validation_fn = @unified_score_validation",
    "dci.predictor_fn = @gradient_boosting_classifier",
  ],
)
def test_a_function_of_the_right_kind_is_taken(binding):
  configs.parse([], [binding])


def test_the_largest_seed_is_a_seed(trained_run, tmp_path):
  bindings = [f"evaluation.random_seed = {2**32 - 1}"]
  input_dir = trained_run / "postprocessed" / "sampled"
  evaluate_metric(input_dir, tmp_path, UNSUPERVISED, bindings=bindings)


def test_each_file_of_a_pattern_is_evaluated_in_its_folder(trained_run, tmp_path):
  folder = tmp_path / "my_metrics"
  folder.mkdir()
  for name, num_train in (("small", 40), ("large", 80)):
    text = f'include "metrics/mig.gin"\nmig.num_train = {num_train}\n'
    (folder / f"{name}.gin").write_text(text)
  (folder / "shared.txt").write_text("no metric")
  (tmp_path / "bins.gin").write_text("# Read first.\nevaluation.random_seed = 5\n")
  evaluate.evaluate_each(
    trained_run / "postprocessed" / "mean",
    tmp_path / "out",
    str(folder / "*.gin"),
    gin_config_files=[tmp_path / "bins.gin"],
    gin_bindings=["discretizer.num_bins = 7"],
  )
  assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["large", "small"]
  for name, num_train in (("small", "40"), ("large", "80")):
    path = tmp_path / "out" / name / "results" / "aggregate" / "evaluation.json"
    record = results.read_aggregate(path)
    assert record["evaluation_config.mig.num_train"] == num_train
    assert record["evaluation_config.discretizer.num_bins"] == "7"
    assert record["evaluation_config.evaluation.random_seed"] == "0"  # Of metrics/mig.gin.


def write_metrics(folder, **texts):
  folder.mkdir()
  for name, text in texts.items():
    (folder / f"{name}.gin").write_text(text)
  return str(folder / "*.gin")


SMALL_MIG = 'include "metrics/mig.gin"\nmig.num_train = 40\n'
SMALL_TERMS = 'include "metrics/vae_terms.gin"\nvae_terms.num_points = 40\n'


def test_all_representations_of_a_model_are_evaluated_side_by_side(trained_run, tmp_path):
  pattern = write_metrics(tmp_path / "configs", mig=SMALL_MIG, terms=SMALL_TERMS)
  out = tmp_path / "out"
  records, failures = evaluate.evaluate_each(trained_run / "postprocessed", out, pattern)
  names = ["mean/mig", "mean/terms", "sampled/mig", "sampled/terms"]
  assert [(f"{r.representation}/{r.metric}", r.directory) for r in records] == [
    (name, out / name) for name in names
  ]
  assert not failures
  for name in names:
    representation, metric = name.split("/")
    evaluate.evaluate_each(
      trained_run / "postprocessed" / representation,
      tmp_path / "single" / name,
      gin_config_files=[tmp_path / "configs" / f"{metric}.gin"],
    )
    single, together = (
      results.read_results(folder / name, "evaluation") for folder in (tmp_path / "single", out)
    )
    for key in UNREPEATABLE:
      del single[key], together[key]
    assert single == together
  before = state(out)
  assert evaluate.evaluate_each(trained_run / "postprocessed", out, pattern) == (records, [])
  assert state(out) == before


NOT_FINITE = """
import gin


@gin.configurable("not_finite_of_evaluate_test")
def compute(ground_truth_data, representation_function, random_state, artifact_dir=None):
  return {"value": float("nan")}
"""


def test_a_metric_that_cannot_be_evaluated_does_not_keep_others_from_it(
  trained_run, tmp_path, monkeypatch
):
  (tmp_path / "not_finite_of_evaluate_test.py").write_text(NOT_FINITE)
  monkeypatch.syspath_prepend(tmp_path)
  not_finite = (
    "import not_finite_of_evaluate_test\n"
    "evaluation.evaluation_fn = @not_finite_of_evaluate_test\n"
    'evaluation.random_seed = 0\ndataset.name = "auto"\n'
  )
  pattern = write_metrics(
    tmp_path / "configs",
    a=SMALL_MIG.replace("40", "0"),
    b=SMALL_MIG,
    c=not_finite,
    d=SMALL_TERMS,
  )
  out = tmp_path / "out"
  records, failures = evaluate.evaluate_each(
    trained_run / "postprocessed" / "mean", out, pattern, trust_gin_imports=True
  )
  assert [record.directory for record in records] == [out / "b", out / "d"]
  assert all(results.is_complete(record.directory, "evaluation") for record in records)
  assert len(failures) == 2
  assert failures[0].startswith("a: The number of points to evaluate on must be a whole number")
  assert failures[1] == "c: value is nan, not a finite number; no result was written."
  assert not results.is_complete(out / "c", "evaluation")


def test_files_of_one_name_are_refused(trained_run, tmp_path):
  for folder in ("one", "other"):
    write_metrics(tmp_path / folder, mig=SMALL_MIG)
  with pytest.raises(errors.ConfigError, match=r"several have one name.*one/mig.*other/mig"):
    evaluate.evaluate_each(
      trained_run / "postprocessed" / "mean", tmp_path / "out", str(tmp_path / "*" / "*.gin")
    )
  assert not (tmp_path / "out").exists()


def test_one_metric_of_all_representations(trained_run, tmp_path):
  records, _ = evaluate.evaluate_each(
    trained_run / "postprocessed", tmp_path / "mig", None, False, *MIG
  )
  assert records == [(name, "mig", tmp_path / "mig" / name) for name in ("mean", "sampled")]


def test_an_invalid_file_of_a_pattern_is_found_before_anything_is_evaluated(trained_run, tmp_path):
  pattern = write_metrics(tmp_path / "configs", a=SMALL_MIG, b="mig.num_trains = 3\n")
  with pytest.raises(errors.ConfigError, match=r"b\.gin:1: mig has no parameter 'num_trains'"):
    evaluate.evaluate_each(trained_run / "postprocessed" / "mean", tmp_path / "out", pattern)
  assert not (tmp_path / "out").exists()


def test_a_pattern_is_looked_for_in_the_package(trained_run, tmp_path):
  bindings = ["mig.num_train = 40"]
  records, _ = evaluate.evaluate_each(
    trained_run / "postprocessed" / "mean", tmp_path, "metrics/mi[g].gin", gin_bindings=bindings
  )
  assert records == [("", "mig", tmp_path / "mig")]


def test_a_pattern_without_files_is_refused(trained_run, tmp_path):
  with pytest.raises(errors.ConfigError, match=r"No gin file matches '.*/\*\.gin'"):
    evaluate.evaluate_each(
      trained_run / "postprocessed" / "mean", tmp_path, str(tmp_path / "*.gin")
    )


def test_without_a_pattern_the_files_are_one_metric(trained_run, tmp_path):
  evaluate.evaluate_each(trained_run / "postprocessed" / "mean", tmp_path, None, False, *MIG)
  assert results.is_complete(tmp_path, "evaluation")


def test_a_users_own_metric(trained_run, tmp_path, monkeypatch):
  (tmp_path / "spread_of_evaluate_test.py").write_text(OWN_METRIC)
  monkeypatch.syspath_prepend(tmp_path)
  config = tmp_path / "spread.gin"
  config.write_text(
    "import spread_of_evaluate_test\n"
    "evaluation.evaluation_fn = @spread_of_evaluate_test\n"
    "evaluation.random_seed = 0\n"
    'dataset.name = "auto"\n'
    "spread_of_evaluate_test.num_points = 30\n"
  )
  input_dir, output_dir = trained_run / "postprocessed" / "mean", tmp_path / "spread"
  with pytest.raises(errors.ConfigError, match="would run code that is not dl_condind's"):
    evaluate.evaluate_with_gin(input_dir, output_dir, False, [config])
  assert "spread_of_evaluate_test" not in sys.modules
  evaluate.evaluate_with_gin(input_dir, output_dir, False, [config], trust_gin_imports=True)
  values = results.read_results(output_dir, "evaluation")
  assert values["shape"] == [30, 4]
  assert values["spread"] > 0
  text = (output_dir / "results" / "gin" / "evaluation.gin").read_text()
  assert "spread_of_evaluate_test.num_points = 30" in text
