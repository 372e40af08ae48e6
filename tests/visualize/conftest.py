import gin
import pytest

from dl_condind.evaluation import evaluate
from dl_condind.methods import train
from dl_condind.postprocessing import postprocess

# The smallest networks and numbers of everything: two updates on noise.
TRAINING = [
  "dataset.name = 'dummy_data'",
  "model.training_steps = 2",
  "model.batch_size = 4",
  "model.eval_steps = 1",
  "encoder.num_latent = 3",
  "encoder.encoder_fn = @test_encoder",
  "decoder.decoder_fn = @test_decoder",
]
METRICS = {
  "mig": ["mig.num_train = 50"],
  "vae_terms": ["vae_terms.num_points = 20"],
  "total_correlation": [
    "total_correlation.num_posteriors = 8",
    "total_correlation.num_samples = 2",
    "total_correlation.num_repeats = 2",
  ],
}


def make_run(folder, correlation, representations):
  gin_files = ["shared.gin", "methods/vae.gin", "posteriors/equicorrelated.gin"]
  noise = f"equicorrelated.correlation = {correlation}"
  train.train_with_gin(folder / "model", False, gin_files, [*TRAINING, noise])
  for name in representations:
    representation = folder / "postprocessed" / name
    gin_file = f"postprocess/{name}.gin"
    postprocess.postprocess_with_gin(folder / "model", representation, False, [gin_file])
    for metric, bindings in METRICS.items():
      metric_dir = folder / "metrics" / name / metric
      gin_file = f"metrics/{metric}.gin"
      evaluate.evaluate_with_gin(representation, metric_dir, False, [gin_file], bindings)


@pytest.fixture(scope="session")
def trained_study(tmp_path_factory):
  """A study of two real runs, c = 0 and c = 0.9; the second lacks the sampled representation.

  Read-only: tests that change something copy it.
  """
  study_dir = tmp_path_factory.mktemp("studies") / 'Größe <&> "b"'
  make_run(study_dir / "0", 0.0, ["mean", "sampled"])
  make_run(study_dir / "1", 0.9, ["mean"])
  gin.clear_config()
  return study_dir
