import dataclasses

import pytest

from dl_condind.studies import repeated_evaluations
from dl_condind.studies import run_state
from dl_condind.studies import study_file
from dl_condind.utils import errors


def test_seeds_are_disentanglement_libs_and_begin_alike():
  # The first numbers of RandomState(0), from which its programs draw their seeds, too.
  assert repeated_evaluations.seeds(1) == []
  assert repeated_evaluations.seeds(3) == [2357136044, 2546248239]
  many = repeated_evaluations.seeds(50)
  assert many[:4] == repeated_evaluations.seeds(5)
  assert len(set(many)) == 49 and all(0 <= seed < 2**32 for seed in many)


def test_settings_say_how_often_only_if_more_than_once():
  study = study_file.load_study("quickstart")
  once, often = (repeated_evaluations.repeat(study, number) for number in (1, 4))
  assert once.settings(0) == study.settings(0)
  assert often.settings(0) == {**study.settings(0), "num_evaluations": 4}


@pytest.mark.parametrize(
  ("there", "here", "enough"), [(4, 4, True), (4, 1, True), (1, 4, False), (4, 5, False)]
)
def test_more_evaluations_are_enough_for_fewer(there, here, enough):
  study = study_file.load_study("quickstart")
  made, wanted = (
    run_state.comparable(repeated_evaluations.repeat(study, number).settings(1))
    for number in (there, here)
  )
  assert run_state.is_made_with(made, wanted) == enough
  assert not run_state.is_made_with({**made, "metrics": ["mig"]}, wanted)
  assert not run_state.is_made_with(None, wanted)


def test_labels_tell_evaluations_apart():
  assert repeated_evaluations.bindings("mig", 0) == []
  seed, label = repeated_evaluations.bindings("mig", 2)
  assert seed == "evaluation.random_seed = 2546248239"
  name = label.partition(" = ")[2]
  assert repeated_evaluations.metric_of({"evaluation_config.evaluation.name": name}) == "mig"
  for other in ("''", "'mig'", "'mig, evaluation x'"):
    assert repeated_evaluations.metric_of({"evaluation_config.evaluation.name": other}) is None
  assert repeated_evaluations.metric_of({}) is None


@pytest.mark.parametrize("number", [0, -1, 1001])
def test_numbers_out_of_range_are_refused(number):
  with pytest.raises(
    errors.ConfigError, match=rf"num_evaluations must be in \[1, 1000\], got {number}"
  ):
    repeated_evaluations.repeat(study_file.load_study("quickstart"), number)


def test_a_metric_with_the_name_of_an_evaluation_is_refused():
  study = dataclasses.replace(
    study_file.load_study("quickstart"), metrics=("mig", "my/mig_2.gin", "dci")
  )
  repeated_evaluations.repeat(study, 2)
  with pytest.raises(errors.ConfigError, match="mig_2 has the name of an evaluation of mig"):
    repeated_evaluations.repeat(study, 3)
