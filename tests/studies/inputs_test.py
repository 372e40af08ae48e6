"""What is missing is said before TensorFlow is loaded."""

import re
import shutil

from helpers import programs
import pytest

from dl_condind.data.ground_truth import named_data
from dl_condind.studies import inputs
from dl_condind.utils import errors

VAE = ["--gin_config=shared.gin", "--gin_config=methods/vae.gin"]
MIG = "--gin_config=metrics/mig.gin"
MODEL = "{folder}/run/model"
MEAN = "{folder}/run/postprocessed/mean"
OUTPUT = "--output_dir={folder}/new"

# Program and arguments, exit code, and its line.
CASES = {
  "no configuration": (
    ["train", "--model_dir={folder}/new"],
    2,
    r"There is no configuration: try --gin_config=shared\.gin --gin_config=methods/vae\.gin",
  ),
  "misspelt gin file": (
    ["train", "--model_dir={folder}/new", "--gin_config=methods/betavae.gin"],
    2,
    r"no gin file 'methods/betavae\.gin'; did you mean 'methods/beta_vae\.gin'\? Looked in: .*",
  ),
  "misspelt include": (
    ["train", "--model_dir={folder}/new", "--gin_config={folder}/including.gin"],
    2,
    r".*/including\.gin:2: no gin file 'method/vae\.gin'; did you mean 'methods/vae\.gin'\?.*",
  ),
  "line that cannot be parsed": (
    ["train", "--model_dir={folder}/new", *VAE, "--gin_bindings=vae.beta = "],
    2,
    r"--gin_bindings='vae\.beta = ': cannot read the value .*",
  ),
  "misspelt data set": (
    ["train", "--model_dir={folder}/new", *VAE, "--gin_bindings=dataset.name = 'dsprite_full'"],
    2,
    r"dataset\.name must be one of .* Did you mean 'dsprites_full'\? .*",
  ),
  "missing cars": (
    ["train", "--model_dir={folder}/new", *VAE, "--gin_bindings=dataset.name = 'cars3d'"],
    3,
    r".*/absent/cars/list\.txt is missing .*",
  ),
  "missing arrays, through a macro": (
    [
      *["train", "--model_dir={folder}/new", *VAE, "--gin_bindings=dataset.name = %name"],
      *["--gin_bindings=name = 'arrays'", "--gin_bindings=arrays.path = 'own.npz'"],
    ],
    3,
    r"own\.npz is missing: arrays\.path must be .*/absent/own\.npz .*",
  ),
  "missing model": (
    ["postprocess", "--model_dir={folder}/run/modell", OUTPUT, "--gin_config=postprocess/mean.gin"],
    3,
    r"--model_dir=.*/modell: there is no such folder; did you mean 'model'\?",
  ),
  "folder without a model": (
    ["postprocess", "--model_dir={folder}/run", OUTPUT, "--gin_config=postprocess/mean.gin"],
    3,
    r"--model_dir=.*/run: no model is stored there .*",
  ),
  "postprocessing without configuration": (
    ["postprocess", f"--model_dir={MODEL}", OUTPUT],
    2,
    r"There is no configuration: try --gin_config=postprocess/mean\.gin",
  ),
  "missing representation": (
    ["evaluate", "--input_dir={folder}/nowhere", OUTPUT, MIG],
    3,
    r"--input_dir=.*/nowhere: there is no such folder\.",
  ),
  "evaluation without configuration": (
    ["evaluate", f"--input_dir={MEAN}", OUTPUT],
    2,
    r"There is no configuration: try --gin_config=metrics/mig\.gin",
  ),
  "pattern of metrics": (
    ["evaluate", f"--input_dir={MEAN}", OUTPUT, "--gin_evaluation_config_glob=metric/mig*.gin"],
    2,
    r"No gin file matches 'metric/mig\*\.gin', here or in .*; did you mean 'metrics/mig\.gin'\?",
  ),
  "data set of an evaluation": (
    [
      *["evaluate", f"--input_dir={MEAN}", OUTPUT, MIG],
      "--gin_bindings=dataset.name = 'smallnorb'",
    ],
    3,
    r".*/absent/small_norb/smallnorb-.*-training-cat\.mat is missing .*",
  ),
  "reasoning without configuration": (
    ["reason", OUTPUT],
    2,
    r"There is no configuration: try --gin_config=reasoning/values\.gin",
  ),
  "missing representation to reason from": (
    ["reason", "--input_dir={folder}/nowhere", OUTPUT, "--gin_config=reasoning/representation.gin"],
    3,
    r"--input_dir=.*/nowhere: there is no such folder\.",
  ),
  "data set of puzzles": (
    [
      *["reason", OUTPUT, "--gin_config=reasoning/values.gin"],
      "--gin_bindings=dataset.name = 'shapes3d'",
    ],
    3,
    r".*/absent/3dshapes/3dshapes\.h5 is missing .*",
  ),
  "one representation to rank": (
    ["udr", f"--input_dirs={MEAN}", OUTPUT, "--gin_config=udr/udr.gin"],
    2,
    r"udr compares at least two models, .* names 1 folders\.",
  ),
  "missing model to picture": (
    ["visualize_model", "--model_dir={folder}/nowhere", OUTPUT],
    3,
    r"--model_dir=.*/nowhere: there is no such folder\.",
  ),
  "missing InfoGAN": (
    ["visualize_infogan", f"--model_dir={MODEL}", "--model_dir={folder}/nowhere", OUTPUT],
    3,
    r"--model_dir=.*/nowhere: there is no such folder\.",
  ),
  "misspelt study": (
    ["reproduce", "--study=papr"],
    2,
    r"--study must be one of .*, got 'papr'; did you mean 'paper'\?",
  ),
  "misspelt gin file of a study": (
    ["reproduce", "--study={folder}/study.gin", "--output_directory={folder}/new"],
    2,
    r"no gin file 'metrics/mgi\.gin'; did you mean 'metrics/mig\.gin'\?.*",
  ),
  "missing model of a study": (
    ["reproduce", "--model_dir={folder}/nowhere", "--output_directory={folder}/new"],
    3,
    r"--model_dir=.*/nowhere: there is no such folder\.",
  ),
  "missing study": (
    ["report", "--study_dir={folder}/nowhere"],
    2,
    r"No trained run in .*/nowhere, which is not there: is it the right folder\?",
  ),
}


@pytest.fixture(scope="module")
def folder(trained_run, tmp_path_factory):
  folder = tmp_path_factory.mktemp("inputs")
  shutil.copytree(trained_run, folder / "run")
  (folder / "including.gin").write_text("include 'shared.gin'\ninclude 'method/vae.gin'\n")
  (folder / "study.gin").write_text(
    "study.gin_files = ['shared.gin', 'methods/vae.gin']\n"
    "study.axes = [('model.random_seed', [0])]\n"
    "study.metrics = ['mgi']\n"
  )
  return folder


@pytest.fixture(scope="module")
def outcomes(folder):
  commands = [
    [f"dl_condind_{program}", *(argument.format(folder=folder) for argument in arguments)]
    for (program, *arguments), _, _ in CASES.values()
  ]
  absent = {"DISENTANGLEMENT_LIB_DATA": str(folder / "absent")}
  return dict(zip(CASES, programs.run_each(commands, **absent), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_what_is_missing_is_said_before_tensorflow_is_loaded(case, outcomes, folder):
  _, exit_code, message = CASES[case]
  ended, loaded = outcomes[case]
  assert "dl_condind.utils.cli" in loaded
  assert not {name.partition(".")[0] for name in loaded} & {"tensorflow", "keras", "matplotlib"}
  (line,) = ended.stderr.splitlines()
  assert re.fullmatch(f"error: {message}", line), line
  assert ended.returncode == exit_code
  assert not (folder / "new").exists()


def test_configuration_that_imports_code_may_name_data_sets_of_its_own(tmp_path):
  bindings = ["dataset.name = 'stripes'"]
  inputs.check_training(([], ["import my_stripes", *bindings]))
  with pytest.raises(errors.ConfigError, match="dataset.name must be one of"):
    inputs.check_training(([], ["import dl_condind.training.train", *bindings]))


def test_what_is_complete_needs_no_data(trained_run, tmp_path):
  mean, data = trained_run / "postprocessed" / "mean", ["dataset.name = 'shapes3d'"]
  config = (["metrics/mig.gin"], data)
  with pytest.raises(errors.DatasetError, match=r"3dshapes\.h5 is missing"):
    inputs.check_evaluation(mean, tmp_path / "new", None, config)
  inputs.check_evaluation(mean, tmp_path, None, config)


@pytest.mark.parametrize("name", sorted(named_data.DATA_SETS))
def test_files_of_every_data_set_are_checked_without_reading_them(name, tmp_path, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
  config = ([], [f"dataset.name = '{name}'", "arrays.path = 'a.npz'", "image_folder.path = 'b'"])
  # Sprites and spots are rendered; only the picture of one data set must be there.
  if "dsprites" in name.replace("scream_dsprites", "") or name in ("dummy_data", "spots"):
    inputs.check_training(config)
    assert list(tmp_path.iterdir()) == []
    return
  with pytest.raises(errors.DatasetError, match="is missing"):
    inputs.check_training(config)
