"""Times the training step of this package, made and run as `dl.train` does.

The input pipeline and the compiled loop over steps are the real ones; logs
and checkpoints, which come every so many steps, are left out. dSprites is read from, or rendered
into, the folder that DISENTANGLEMENT_LIB_DATA names, `data` beside this folder if it is not set;
InfoGAN's MNIST must be there.

Usage: python benchmarks/own_step.py --model=vae --threads=2
"""

import functools
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from absl import app
from absl import flags
from peers import step_timing
import tensorflow as tf

import dl_condind as dl
from dl_condind.data import batches as batches_of_data
from dl_condind.data import input_pipeline
from dl_condind.data import reading
from dl_condind.methods import base_model
from dl_condind.training import trainer
from dl_condind.training import training_loop
from dl_condind.utils import errors

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"

MODELS = {
  "vae": functools.partial(dl.BetaVAE, 1.0),
  "beta_tc_vae": functools.partial(dl.BetaTCVAE, 6.0),
  "factor_vae": functools.partial(dl.FactorVAE, 35.0),
  "ada_gvae": functools.partial(dl.AdaGVAE, 1.0),
  "s2_vae": functools.partial(dl.S2BetaVAE, 4.0, 4.0),
  "s2_mine_vae": functools.partial(dl.S2MineVAE, 4.0, 4.0),
  "infogan": dl.InfoGAN,
}

BATCHES = {
  batches_of_data.Images: batches_of_data.Images,
  dl.Pairs: functools.partial(dl.Pairs, k=1),
  dl.PartlyLabelled: functools.partial(dl.PartlyLabelled, num_labelled_samples=1000),
}

_MODEL = flags.DEFINE_enum("model", "vae", list(MODELS), "Objective to train.")


def make_loop(model: base_model.Model, num_threads: int) -> training_loop.TrainingLoop:
  """Returns the loop of a training with the paper's settings, its data loaded."""
  dataset = dl.load_data("mnist" if model.kind == base_model.INFOGAN else "dsprites_full")
  dataset.load()
  settings = trainer.Settings(
    training_steps=1, random_seed=0, batch_size=64, num_threads=num_threads
  )
  batches = BATCHES[model.learns_from](dataset).prepared(settings.random_seed)
  trainer.build(model, batches, settings)
  seeds = settings.seeds
  batch_fn = input_pipeline.make_batch_fn(batches, settings.batch_size, seeds.data)
  unused = pathlib.Path("unused")  # Steps alone write nothing.
  return training_loop.TrainingLoop(model, batch_fn, seeds.noise, unused)


def main(argv: list[str]) -> None:
  """Times the step and prints the result."""
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  os.environ.setdefault(reading.DATA_FOLDER_VARIABLE, str(DATA))
  try:
    model = MODELS[_MODEL.value](posterior=dl.posteriors.Equicorrelated(0.9))
    loop = make_loop(model, step_timing.threads())
  except errors.DatasetError as error:
    step_timing.unavailable(str(error))
  loss_name = "discriminator_loss" if _MODEL.value == "infogan" else "loss"
  count = tf.constant(step_timing.STEPS_PER_CALL, tf.int64)

  def run_call(start: int) -> float:
    scalars = loop.run_steps(tf.constant(start, tf.int64), count)
    return {name: values.numpy() for name, values in scalars.items()}[loss_name][-1]

  milliseconds, loss = step_timing.time_calls(run_call)
  step_timing.report(
    peer="dl_condind",
    model=_MODEL.value,
    milliseconds=milliseconds,
    loss=loss,
    packages=["dl_condind", "tensorflow", "tensorflow-probability", "keras", "numpy"],
  )


if __name__ == "__main__":
  app.run(main)
