import json

import pytest

from dl_condind.visualize import visualize_infogan
from dl_condind.visualize import visualize_model
from dl_condind.visualize import visualize_run


@pytest.mark.parametrize(
  ("record", "made"),
  [
    ({"train_provenance.kind": "vae"}, "vae"),
    ({"train_provenance.kind": "infogan"}, "infogan"),
    ({"train_config.generator_optimizer.optimizer_fn": "@AdamOptimizer"}, "infogan"),
    ({}, "vae"),
    ({"train_provenance.kind": "other"}, None),
  ],
)
def test_pictures_are_those_of_the_kind(tmp_path, monkeypatch, record, made):
  folder = tmp_path / "results" / "aggregate"
  folder.mkdir(parents=True)
  (folder / "train.json").write_text(json.dumps(record))
  calls = []
  monkeypatch.setattr(visualize_model, "visualize_model", lambda *a, **k: calls.append("vae"))
  monkeypatch.setattr(
    visualize_infogan, "visualize_infogan", lambda *a, **k: calls.append("infogan")
  )
  visualize_run.visualize_run(tmp_path, tmp_path / "pictures")
  assert calls == ([made] if made else [])
