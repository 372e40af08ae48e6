import itertools

import gin
import pytest

from dl_condind.methods import posteriors  # noqa: F401 (registers the name of a binding)
from dl_condind.studies import study
from dl_condind.utils import errors


def grid(axes, **settings):
  return study.make_study("mine", gin_files=["shared.gin"], axes=axes, **settings)


def test_the_last_axis_changes_fastest():
  axes = [("encoder.num_latent", [10, 20]), ("vae.beta", [1.0, 4.0, 6.0]), ("model.name", ["a"])]
  runs = grid(axes, bindings=["model.batch_size = 3"])
  assert runs.num_runs == 6
  for model_num, (num_latent, beta) in enumerate(itertools.product([10, 20], [1.0, 4.0, 6.0])):
    gin_files, bindings = runs.run(model_num)
    assert gin_files == ["shared.gin"]
    assert bindings[0] == "model.batch_size = 3"  # So that an axis overrides it.
    assert sorted(bindings[1:]) == [
      f"encoder.num_latent = {num_latent}",
      f"model.model_num = {model_num}",
      "model.name = 'a'",
      f"vae.beta = {beta}",
    ]


def test_an_axis_of_files_is_read_after_the_shared_files():
  runs = grid([("gin_file", ["a.gin", "b.gin"]), ("vae.beta", [1, 2])])
  assert [runs.run(i)[0] for i in range(4)] == [
    ["shared.gin", "a.gin"],
    ["shared.gin", "a.gin"],
    ["shared.gin", "b.gin"],
    ["shared.gin", "b.gin"],
  ]
  assert runs.run(3)[1] == ["vae.beta = 2", "model.model_num = 3"]


def test_a_study_without_axes_is_one_run():
  runs = grid([])
  assert runs.num_runs == 1
  assert runs.run(0) == (["shared.gin"], ["model.model_num = 0"])


@pytest.mark.parametrize("model_num", [-1, 6])
def test_a_run_that_is_not_in_the_study_is_refused(model_num):
  runs = grid([("vae.beta", [1, 2, 3]), ("model.random_seed", [0, 1])])
  message = rf"--model_num must be in \[0, 6\) for the study mine, got {model_num}"
  with pytest.raises(errors.ConfigError, match=message):
    runs.run(model_num)


@pytest.mark.parametrize(
  "axis", ["vae.beta", ("vae.beta",), ("vae.beta", []), ("vae.beta", 1), (1, [1]), ("a", [1], 2)]
)
def test_an_axis_that_is_none_is_refused(axis):
  with pytest.raises(errors.ConfigError, match=r"study\.axes must be pairs"):
    grid([axis])


def test_a_users_study_is_read_from_its_file(tmp_path):
  path = tmp_path / "my_study.gin"
  path.write_text(
    'study.gin_files = ["shared.gin"]\n'
    'study.axes = [("vae.beta", [1.0, 2.0])]\n'
    'study.metrics = ["mig", "my_metric.gin"]\n'
    'study.representations = ["mean"]\n'
  )
  mine = study.load_study(str(path))
  assert mine == study.Study(
    name="my_study",
    gin_files=("shared.gin",),
    bindings=(),
    axes=(("vae.beta", (1.0, 2.0)),),
    metrics=("mig", "my_metric.gin"),
    representations=("mean",),
  )
  assert not gin.config_is_locked()


def test_a_study_that_is_not_there_is_refused(tmp_path):
  with pytest.raises(errors.ConfigError, match=r"--study must be one of .*quickstart.*'quick'"):
    study.load_study("quick")
  with pytest.raises(errors.ConfigError, match=r"no gin file '.*absent\.gin'"):
    study.load_study(str(tmp_path / "absent.gin"))


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("study.axis = []", "has no parameter 'axis'"),
    ("study.axes = 3", r"study\.axes must be"),
    ("study.gin_files = [1]", r"study\.gin_files must be"),
    ("study.name = 'x'", r"study\.name is set by the program"),
  ],
)
def test_a_mistake_in_a_study_is_refused(tmp_path, text, message):
  path = tmp_path / "my_study.gin"
  path.write_text(text)
  with pytest.raises(errors.ConfigError, match=message):
    study.load_study(str(path))


def test_studies_of_the_package():
  assert {"quickstart", "paper_dsprites"} <= set(study.study_names())
  assert study.load_study("quickstart").num_runs == 2
  paper = study.load_study("paper_dsprites")
  assert paper.num_runs == 120
  gin_files, bindings = paper.run(47)  # VAE: 0 to 39, FactorVAE: 40 to 79, beta-TCVAE: 80 to 119.
  assert gin_files[-1] == "methods/factor_vae.gin"
  assert set(bindings) == {
    "encoder.num_latent = 10",
    "equicorrelated.correlation = 0.0",
    "model.random_seed = 7",
    "model.model_num = 47",
  }


def test_a_binding_that_no_run_would_read_is_refused(tmp_path):
  path = tmp_path / "mine.gin"
  path.write_text("study.gin_files = []\nstudy.axes = []\nposterior.noise_correlation = None\n")
  message = r"mine\.gin binds posterior\.noise_correlation.*put it in study\.bindings"
  with pytest.raises(errors.ConfigError, match=message):
    study.load_study(str(path))


def test_a_study_may_use_macros(tmp_path):
  path = tmp_path / "mine.gin"
  path.write_text("seeds = [0, 1]\nstudy.gin_files = []\nstudy.axes = [('model.seed', %seeds)]\n")
  assert study.load_study(str(path)).num_runs == 2
