import os
import subprocess
import sys

from helpers import programs
from helpers import stored_run
import keras
import numpy as np
import pytest

import dl_condind as dl
from dl_condind.saved_models import export
from dl_condind.utils import errors

TOLERANCE = 1e-5


def vae(encoder="conv_encoder", decoder="deconv_decoder", shape=(64, 64, 1), **keywords):
  model = dl.BetaVAE(
    beta=4.0,
    num_latent=5,
    encoder=getattr(dl.networks, encoder),
    decoder=getattr(dl.networks, decoder),
    **keywords,
  )
  model.build(shape, 1)
  return model


CASES = {
  "conv": vae,
  "fc": lambda: vae("fc_encoder", "fc_decoder", (6, 5, 3)),
  "correlated": lambda: vae("fc_encoder", "fc_decoder", (4, 4, 1), posterior=noise(0.9)),
}


def noise(correlation):
  return dl.posteriors.Equicorrelated(correlation)


def infogan(**sizes):
  model = dl.InfoGAN(num_noise=4, **sizes)
  model.build((8, 12, 1), 1)
  for network in (model.generator, model.feature_network, model.recognition_head):
    stored_run.make_vivid(network)
  return model


def draw(run, rng):
  """Returns inputs of the two networks of a run, by the names of the signatures."""
  images = {"images": rng.random((7, *run.model.image_shape)).astype(np.float32)}
  if hasattr(run.model, "num_latent"):
    return {"latent_vectors": rng.normal(size=(7, 5)).astype(np.float32)}, images
  codes = {
    "continuous": rng.normal(size=(7, run.model.num_continuous)).astype(np.float32),
    "noise": rng.normal(size=(7, 4)).astype(np.float32),
  }
  if run.model.num_categories:
    codes["categorical"] = np.eye(10, dtype=np.float32)[:7]
  return codes, images


def assert_close(found, expected):
  np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_keras_loads_a_vae_without_this_package(case, tmp_path):
  folder = stored_run.write(CASES[case](), tmp_path / "run")
  run = dl.load(folder)
  assert run.export(tmp_path / "out", "keras") == tmp_path / "out"
  codes, images = draw(run, np.random.default_rng(2))
  np.savez(tmp_path / "in.npz", **codes, **images)
  program = f"""
import sys, keras, numpy as np
folder, arrays = {str(tmp_path)!r}, np.load({str(tmp_path / "in.npz")!r})
encoder = keras.saving.load_model(f"{{folder}}/out/encoder.keras")
decoder = keras.saving.load_model(f"{{folder}}/out/decoder.keras")
encoded = encoder(arrays["images"])
np.savez(f"{{folder}}/found.npz", decoded=decoder(arrays["latent_vectors"]), **encoded)
assert not any(name.startswith("dl_condind") for name in sys.modules)
"""
  subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, env=os.environ)
  found = np.load(tmp_path / "found.npz")
  expected = run.model._model.call("gaussian_encoder", **images)
  assert set(found) == {"mean", "logvar", "decoded"}
  assert_close(found["mean"], expected["mean"])
  assert_close(found["logvar"], expected["logvar"])
  assert_close(found["decoded"], run.model._model.call("decoder", **codes)["images"])


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [{}, {"num_categories": 0, "num_continuous": 3}], ids=str)
def test_keras_files_of_an_infogan(sizes, tmp_path):
  run = dl.load(stored_run.write(infogan(**sizes), tmp_path / "run"))
  run.export(tmp_path / "out", "keras")
  codes, images = draw(run, np.random.default_rng(2))
  generator = keras.saving.load_model(tmp_path / "out" / "generator.keras")
  recognition_network = keras.saving.load_model(tmp_path / "out" / "recognition_network.keras")
  assert_close(generator(codes), run.model._model.call("generator", **codes)["images"])
  expected = run.model._model.call("recognition_network", **images)
  found = recognition_network(images["images"])
  assert set(found) == {*expected} - {"scale_tril"}
  for name, values in found.items():
    assert_close(values, expected[name])


@pytest.mark.slow
def test_keras_layers_of_two_outputs_are_there_once(tmp_path):
  dl.load(stored_run.write(vae(), tmp_path / "run")).export(tmp_path / "out", "keras")
  encoder = keras.saving.load_model(tmp_path / "out" / "encoder.keras")
  kinds = [type(layer).__name__ for layer in encoder.layers if layer.weights]
  assert kinds == ["Conv2D"] * 4 + ["Dense"] * 3
  assert encoder.count_params() == vae().encoder.count_params()


@pytest.mark.slow
@pytest.mark.parametrize(
  "make",
  [
    CASES["correlated"],
    CASES["conv"],
    CASES["fc"],
    infogan,
    lambda: infogan(num_categories=0),
  ],
  ids=["correlated", "conv", "fc", "infogan", "infogan without categories"],
)
def test_onnx_files_are_the_signatures(make, tmp_path):
  onnxruntime = pytest.importorskip("onnxruntime")
  pytest.importorskip("tf2onnx")
  run = dl.load(stored_run.write(make(), tmp_path / "run"))
  run.export(tmp_path / "out", "onnx")
  codes, images = draw(run, np.random.default_rng(2))
  is_vae = hasattr(run.model, "num_latent")
  names = ("decoder", "encoder") if is_vae else ("generator", "recognition_network")
  for name, inputs in zip(names, (codes, images), strict=True):
    session = onnxruntime.InferenceSession(
      tmp_path / "out" / f"{name}.onnx", providers=["CPUExecutionProvider"]
    )
    signature = "gaussian_encoder" if name == "encoder" else name
    expected = run.model._model.call(signature, **inputs)
    outputs = [output.name for output in session.get_outputs()]
    assert set(outputs) == set(expected)
    assert {found.name for found in session.get_inputs()} == set(inputs)
    for output, values in zip(outputs, session.run(outputs, inputs), strict=True):
      assert_close(values, expected[output])


@pytest.mark.slow
def test_onnx_leaves_out_what_it_has_no_operation_for(tmp_path):
  onnxruntime = pytest.importorskip("onnxruntime")
  pytest.importorskip("tf2onnx")
  model = vae("fc_encoder", "fc_decoder", (4, 4, 1), posterior=dl.posteriors.Rotated(seed=1))
  run = dl.load(stored_run.write(model, tmp_path / "run"))
  run.export(tmp_path / "out", "onnx")
  session = onnxruntime.InferenceSession(tmp_path / "out" / "encoder.onnx")
  _, images = draw(run, np.random.default_rng(2))
  names = [output.name for output in session.get_outputs()]
  assert sorted(names) == ["logvar", "mean"]
  expected = run.model._model.call("gaussian_encoder", **images)
  for name, values in zip(names, session.run(names, images), strict=True):
    assert_close(values, expected[name])


def test_a_posterior_that_keras_layers_cannot_express_is_refused(tmp_path):
  model = vae("fc_encoder", "fc_decoder", (4, 4, 1), posterior=dl.posteriors.Isotropic())
  folder = stored_run.write(model, tmp_path / "run")
  with pytest.raises(errors.ConfigError, match=r"The model at .* has the operation \w+ \("):
    export.export_model(folder, tmp_path / "out", "keras")
  assert not (tmp_path / "out").exists()


def test_the_program_and_its_mistakes(tmp_path):
  folder = stored_run.write(vae("test_encoder", "test_decoder", (2, 2, 1)), tmp_path / "run")
  output = tmp_path / "out"
  flags = [f"--model_dir={folder}", "--format=keras", f"--output_path={output}"]

  def line_of(*arguments):
    done = programs.run("dl_condind_export", *arguments)
    return done.returncode, done.stderr.splitlines()[-1]

  done = programs.run("dl_condind_export", *flags)
  assert (done.returncode, done.stdout) == (0, f"Exported to {output}\n")
  assert {path.name for path in output.iterdir()} == {
    "encoder.keras",
    "decoder.keras",
    "manifest.json",
  }
  code, line = line_of(*flags)
  assert code == 2 and line.endswith("choose another folder, or replace it with --overwrite.")
  assert programs.run("dl_condind_export", *flags, "--overwrite").returncode == 0
  code, line = line_of(*flags[:2], f"--output_path={tmp_path / 'run'}", "--overwrite")
  assert code == 2 and "is not empty and not from an export" in line
  code, line = line_of(flags[0], "--format=pt", flags[2])
  assert code == 2 and "value should be one of <keras|onnx>" in line
  code, line = line_of(f"--model_dir={tmp_path / 'absent'}", *flags[1:])
  assert code == 3 and "there is no such folder" in line


@pytest.mark.slow
def test_missing_packages_are_named(tmp_path):
  folder = stored_run.write(vae("test_encoder", "test_decoder", (2, 2, 1)), tmp_path / "run")
  (tmp_path / "path").mkdir()
  (tmp_path / "path" / "tf2onnx.py").write_text("raise ImportError('none')")
  command = [sys.executable, str(programs.ROOT / "bin" / "dl_condind_export"), "--format=onnx"]
  command += [f"--model_dir={folder}", f"--output_path={tmp_path / 'out'}"]
  environment = {**os.environ, "PYTHONPATH": str(tmp_path / "path")}
  done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
  assert done.returncode == 2
  (line,) = done.stderr.splitlines()
  assert line.startswith("error: An export to ONNX needs onnx, onnxruntime and tf2onnx")
  assert not (tmp_path / "out").exists()
