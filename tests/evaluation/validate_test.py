"""The stage `validation`, with gin files as disentanglement_lib has them."""

from helpers import programs
import numpy as np
import pytest

from dl_condind.data.ground_truth import dummy_data
from dl_condind.evaluation import stored_representations
from dl_condind.evaluation import validate
from dl_condind.evaluation.information import discretization
from dl_condind.evaluation.metrics import mig
from dl_condind.utils import errors
from dl_condind.utils import gin_texts
from dl_condind.utils import results

NAMES = ("mig", "dci", "sap_score", "unified_score")
COMMON = """
dataset.name = "auto"
validation.random_seed = 0
validation.num_labelled_samples = 1000
labeller.labeller_fn = @perfect_labeller
"""
# Statement by statement as in disentanglement_lib's tests, which have no file for unified scores.
LIBRARY = {
  "mig": """
validation.validation_fn = @mig_validation
discretizer.discretizer_fn = @histogram_discretizer
discretizer.num_bins = 20
""",
  "dci": """
validation.validation_fn = @dci_validation
dci_validation.train_percentage = 0.9
""",
  "sap_score": """
validation.validation_fn = @sap_score_validation
sap_score_validation.train_percentage = 0.9
sap_score_validation.continuous_factors = False
""",
  "unified_score": """
validation.validation_fn = @unified_score_validation
unified_score_validation.train_percentage = 0.9
unified_score_validation.matrix_fns = [@mutual_information_matrix, @accuracy_svm_matrix]
discretizer.discretizer_fn = @histogram_discretizer
discretizer.num_bins = 20
""",
}
KEYS = {
  "mig": {"discrete_mig"},
  "dci": {"disentanglement", "completeness", "informativeness_test"},
  "sap_score": {"SAP_score"},
  "unified_score": {"mutual_information_matrix.mig"},
}
MIG = "validation/labelled_mig.gin"


@pytest.fixture
def mean(trained_run):
  return trained_run / "postprocessed" / "mean"


@pytest.mark.parametrize(
  "name",
  [pytest.param(n, marks=[] if n in ("mig", "sap_score") else pytest.mark.slow) for n in NAMES],
)
def test_files_of_disentanglement_lib_run_unchanged(name, mean, tmp_path):
  path = tmp_path / f"{name}.gin"
  path.write_text(LIBRARY[name] + COMMON)
  fewer = ["validation.num_labelled_samples = 200"] if name == "unified_score" else []
  validate.validate_with_gin(mean, tmp_path / "out", False, [path], fewer)
  record = results.read_results(tmp_path / "out", "validation")
  assert record.keys() >= KEYS[name] | {"elapsed_time", "uuid"}
  aggregate = results.read_aggregate(tmp_path / "out/results/aggregate/validation.json")
  assert aggregate["validation_config.labeller.labeller_fn"] == "@perfect_labeller"
  num = aggregate["validation_config.validation.num_labelled_samples"]
  assert num == ("200" if fewer else "1000")
  assert aggregate["train_config.dataset.name"] == "'dummy_data'"
  for key in KEYS[name]:
    assert aggregate[f"validation_results.{key}"] == record[key]


@pytest.mark.parametrize("labeller", ["perfect", "bin", "noisy", "permuted", "partial"])
def test_every_labeller_gives_labels_that_can_be_scored(labeller, mean, tmp_path):
  bindings = [f"labeller.labeller_fn = @{labeller}_labeller"]
  bindings += ["validation.num_labelled_samples = 100"]
  validate.validate_with_gin(mean, tmp_path, False, [MIG], bindings)
  record = results.read_results(tmp_path, "validation")
  num_labels = 2 if labeller == "partial" else 10
  assert len(np.transpose(record["mutual_information_matrix"])) == num_labels


def test_score_is_that_of_the_sample(mean, tmp_path):
  bindings = ["validation.num_labelled_samples = 150", "validation.random_seed = 5"]
  bindings += ["labeller.labeller_fn = @permuted_labeller"]
  validate.validate_with_gin(mean, tmp_path, False, [MIG], bindings)
  random_state = np.random.RandomState(5)
  data = dummy_data.DummyData()
  factors, observations = data.sample(150, random_state)
  renamed = [random_state.permutation(5)[column] for column in factors.T]
  represent = stored_representations.load_representation(mean / "saved_model")
  binned = discretization.histogram_of_20_bins(represent(observations))
  expected = mig.gap_of_codes(binned, np.stack(renamed, axis=1))
  found = results.read_results(tmp_path, "validation")
  assert found["discrete_mig"] == pytest.approx(expected["discrete_mig"], rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_own_files_are_of_a_thousand_labels(name):
  text = (gin_texts.gin_config_folder() / f"validation/labelled_{name}.gin").read_text()
  assert "validation.num_labelled_samples = 1000" in text
  for line in LIBRARY[name].strip().splitlines():
    if "matrix_fns" not in line:
      assert line in text


def test_program_writes_the_record_once_and_refuses_other_settings(mean, tmp_path):
  command = ["dl_condind_validate", f"--input_dir={mean}", f"--output_dir={tmp_path / 'out'}"]
  command += [f"--gin_config={MIG}", "--gin_bindings=validation.num_labelled_samples = 100"]
  assert programs.run(*command).returncode == 0
  record = results.read_results(tmp_path / "out", "validation")
  assert programs.run(*command).returncode == 0
  assert results.read_results(tmp_path / "out", "validation") == record
  done = programs.run(*command, "--gin_bindings=validation.random_seed = 1")
  assert done.returncode == 2
  assert "was made with other settings: validation.random_seed = " in done.stderr
  assert "--overwrite" in done.stderr
  again = programs.run(*command, "--gin_bindings=validation.random_seed = 1", "--overwrite")
  assert again.returncode == 0
  assert results.read_results(tmp_path / "out", "validation")["uuid"] != record["uuid"]


@pytest.mark.parametrize(
  "bindings, message",
  [
    (["validation.num_labelled_samples = 0"], r"num_labelled_samples must be in \[1, 1048576\]"),
    (["validation.random_seed = -1"], r"validation\.random_seed must be in \[0, 2\*\*32\), got -1"),
    (
      ["labeller.labeller_fn = @partial_labeller", "partial_labeller.num_observed_factors = 11"],
      r"partial_labeller\.num_observed_factors must be in \[1, 10\], got 11",
    ),
    (["labeller.labeller_fn = @mig_validation"], r"labeller\.labeller_fn must be"),
    (
      ["noisy_labeller.prob = 1.0"],
      r"noisy_labeller has no parameter 'prob'; it has: prob_random",
    ),
    (
      [
        "validation.validation_fn = @sap_score_validation",
        "sap_score_validation.continuous_factors = False",
        "sap_score_validation.train_percentage = 1.0",
      ],
      r"sap_score_validation\.train_percentage must be a fraction in \(0, 1\) that leaves points",
    ),
  ],
)
def test_mistakes_are_one_line_and_leave_no_record(bindings, message, mean, tmp_path):
  with pytest.raises(errors.ConfigError, match=rf"^[^\n]*{message}"):  # gin appends lines.
    validate.validate_with_gin(mean, tmp_path / "out", False, [MIG], bindings)
  assert not (tmp_path / "out" / "results").exists()


@pytest.mark.parametrize(
  "arguments, code, message",
  [
    ([f"--gin_config={MIG}", "--input_dir={run}/absent"], 3, "there is no such folder"),
    ([f"--gin_config={MIG}", "--input_dir={run}"], 3, "no model is stored there"),
    (["--input_dir={run}/postprocessed/mean"], 2, "There is no configuration: try --gin_config="),
    (
      ["--input_dir={run}/postprocessed/mean", "--gin_bindings=validation.random_seed = 0"],
      2,
      "set it in a gin file or by --gin_bindings",
    ),
    ([f"--gin_config={MIG}", "--input_dir={run}/model"], 2, "holds no representation"),
  ],
)
def test_program_ends_with_one_line(arguments, code, message, trained_run, tmp_path):
  words = [word.format(run=trained_run) for word in arguments]
  done = programs.run("dl_condind_validate", f"--output_dir={tmp_path / 'out'}", *words)
  assert done.returncode == code, done.stderr
  assert message in done.stderr.splitlines()[-1]
  assert done.stderr.splitlines()[-1].startswith("error: ")
