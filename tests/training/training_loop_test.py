import os
import signal

import numpy as np
import pytest
import tensorflow as tf

import dl_condind as dl
from dl_condind.training import train
from dl_condind.training import training_loop
from dl_condind.utils import errors
from dl_condind.utils import processes

TINY = [
  "dataset.name = 'dummy_data'",
  "model.training_steps = 5",
  "model.batch_size = 4",
  "model.eval_steps = 1",
  "model.log_steps = 2",
  "encoder.encoder_fn = @test_encoder",
  "decoder.decoder_fn = @test_decoder",
]


def test_interruption_notes_the_first_signal_and_restores_the_handlers():
  before = signal.getsignal(signal.SIGTERM)
  with processes.Interruption() as interruption:
    interruption.check("nothing")
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(errors.TryAgainError, match=r"^SIGTERM: all is safe; run the same command"):
      interruption.check("all is safe")
    assert signal.getsignal(signal.SIGTERM) is before
  assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_tensorboard_events_hold_the_logged_values(tmp_path):
  event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator",
    reason="tensorboard is not installed",
  )
  train.train_with_gin(tmp_path, False, ["shared.gin", "methods/vae.gin"], TINY)
  events = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
  events.Reload()
  assert [event.step for event in events.Tensors("loss")] == [0, 2, 4]
  value = tf.make_ndarray(events.Tensors("loss")[0].tensor_proto)
  first_line = (tmp_path / "train_log.jsonl").read_text().splitlines()[0]
  assert f'"loss": {float(value)!r}' in first_line


def test_lines_of_steps_to_come_are_dropped(tmp_path):
  path = tmp_path / "train_log.jsonl"
  path.write_text('{"step": 3}\n{"step": 4}\n[]\n3\n{"step": 3')
  with training_loop._Log(path, 4, 2, tmp_path / "tensorboard"):
    pass
  assert path.read_text() == '{"step": 3}\n'


def test_each_step_has_its_own_batch_and_noise(build, tmp_path):
  class Watched(dl.BetaVAE):
    def train_step(self, batch, seed):
      return {"batch": batch[0, 0, 0, 0], "run": seed[0], "step": seed[1]}

  def batch_fn(step):
    return tf.fill([2, 4, 4, 1], tf.cast(step, tf.float32) / 100)

  loop = training_loop.TrainingLoop(build(Watched(beta=1.0)), batch_fn, 7, tmp_path)
  found = loop.run_steps(tf.constant(3, tf.int64), tf.constant(4, tf.int64))
  np.testing.assert_allclose(found["batch"], [0.03, 0.04, 0.05, 0.06])
  np.testing.assert_array_equal(found["run"], [7, 7, 7, 7])
  np.testing.assert_array_equal(found["step"], [3, 4, 5, 6])
