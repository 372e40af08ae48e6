import pathlib

from dl_condind.utils import run_folder
from dl_condind.utils import run_search


def touch(path):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text("{}")


def test_paths_are_those_of_disentanglement_lib():
  run = run_folder.RunFolder(pathlib.Path("run"))
  assert run.model.saved_model == pathlib.Path("run/model/saved_model")
  assert run.representation("mean").path == pathlib.Path("run/postprocessed/mean")
  record = run.metric("mean", "mig").results
  folder = pathlib.Path("run/metrics/mean/mig/results")
  assert record.path == folder
  assert record.gin_file("evaluation") == folder / "gin" / "evaluation.gin"
  assert record.part("evaluation", "results") == folder / "json" / "evaluation_results.json"
  assert record.flat("evaluation") == folder / "aggregate" / "evaluation.json"
  assert run_folder.stage_of(record.gin_file("evaluation")) == run.metric("mean", "mig")


def test_an_evaluation_knows_its_run():
  run = run_folder.RunFolder(pathlib.Path("a/7"))
  record = run.metric("sampled", "dci").results.flat("evaluation")
  found = run_folder.Evaluated(run, "sampled", "dci", "evaluation")
  assert run_folder.evaluated(record) == found
  record = run.validation("mean", "labelled_mig").results.flat("validation")
  found = run_folder.Evaluated(run, "mean", "validation.labelled_mig", "validation")
  assert run_folder.evaluated(record) == found
  record = run.reasoning("mean", "easy").results.flat("abstract_reasoning")
  found = run_folder.Evaluated(run, "mean", "reasoning.easy", "abstract_reasoning")
  assert run_folder.evaluated(record) == found
  assert run_folder.evaluated(run.model.results.flat("train")) is None


def test_runs_are_found_at_any_depth(tmp_path):
  trained, begun, given_up = (run_folder.RunFolder(tmp_path / name) for name in ("a/1", "2", "3"))
  touch(trained.model.identity)
  touch(trained.model.results.flat("train"))
  touch(trained.metric("mean", "mig").results.flat("evaluation"))
  touch(begun.model.identity)
  touch(given_up.failed)
  assert run_search.trained_below(tmp_path) == [trained]
  assert run_search.begun_below(tmp_path) == [begun, given_up, trained]
  assert run_search.evaluations_below(tmp_path) == [
    trained.metric("mean", "mig").results.flat("evaluation")
  ]


def test_records_are_those_of_all_stages(tmp_path):
  run = run_folder.RunFolder(tmp_path)
  made = [
    run.metric("mean", "mig").results.flat("evaluation"),
    run.model.results.flat("train"),
    run.representation("mean").results.flat("postprocess"),
    run.reasoning("mean", "values").results.flat("abstract_reasoning"),
    run.validation("mean", "labelled_mig").results.flat("validation"),
    run.pictures / run_folder.PICTURE_SETTINGS,
  ]
  for path in made:
    touch(path)
  touch(run.model.log)
  assert run.records() == made


def test_stages_with_a_model_are_found(tmp_path):
  run = run_folder.RunFolder(tmp_path)
  for name in ("sampled", "mean"):
    run.representation(name).saved_model.mkdir(parents=True)
  touch(run.representation("none").results.flat("postprocess"))
  found = run_search.stages_in(tmp_path / "postprocessed")
  assert found == [run.representation("mean"), run.representation("sampled")]
