"""Explorers in a real Chromium, against TensorFlow."""

import json
import re

import chromium
from helpers import programs
from helpers import stored_run
import keras
import numpy as np
import pytest
from scipy import stats

import dl_condind as dl
from dl_condind.explorer import explore
from dl_condind.explorer import vae_facts
from dl_condind.utils import configs
from dl_condind.utils import errors
from dl_condind.utils import results

needs_chromium = pytest.mark.skipif(not chromium.find(), reason="there is no Chromium")
TOLERANCE = 1e-3


def own_decoder(num_latent, observation_shape, seed):
  """Kernels and strides that dlib's decoders do not have, on images with an odd side."""
  del seed
  layers = keras.layers
  z = keras.Input((num_latent,))
  hidden = layers.Reshape((2, 3, 5))(layers.Dense(30)(z))
  hidden = layers.LeakyReLU(0.3)(hidden)
  hidden = layers.Conv2DTranspose(6, 3, 2, "same", activation="tanh")(hidden)
  hidden = layers.Conv2DTranspose(3, 5, 3, "same", activation="sigmoid")(hidden)
  return keras.Model(z, layers.Conv2DTranspose(observation_shape[2], 3, 1, "same")(hidden))


def vae(decoder, shape, num_latent=10, seed=0, **keywords):
  model = dl.BetaVAE(
    beta=4.0, num_latent=num_latent, encoder=dl.networks.test_encoder, decoder=decoder, **keywords
  )
  model.build(shape, seed)
  stored_run.make_vivid(model.decoder, seed)
  stored_run.make_vivid(model.encoder, seed, gain=1.0)
  return model


def infogan(shape, **sizes):
  model = dl.InfoGAN(**sizes)
  model.build(shape, 0)
  stored_run.make_vivid(model.generator, gain=5.0)
  return model


@pytest.fixture(scope="module")
def page():
  if not chromium.find():
    pytest.skip("there is no Chromium")
  with chromium.opened() as found:
    yield found


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
  """A VAE and the same one whose latents are rotated, and their explorer. To read."""
  folder = tmp_path_factory.mktemp("pair")
  rotation = stats.ortho_group.rvs(4, random_state=1)
  plain = vae(dl.networks.deconv_decoder, (64, 64, 1), num_latent=4)
  # Stddevs that tell the axes apart.
  plain.encoder.get_layer("log_var").bias.assign(np.log(np.square([0.1, 0.2, 0.4, 0.8])))
  rotated = vae(
    dl.networks.deconv_decoder, (64, 64, 1), num_latent=4, posterior=dl.posteriors.Rotated(rotation)
  )
  rotated.encoder.set_weights(plain.encoder.get_weights())
  rotated.decoder.set_weights(plain.decoder.get_weights())
  means, first = rotated.encoder.get_layer("means"), rotated.decoder.get_layer("d1")
  means.set_weights([weights @ rotation.T for weights in means.get_weights()])
  first.kernel.assign(rotation @ first.kernel.numpy())
  folders = [stored_run.write(plain, folder / "0"), stored_run.write(rotated, folder / "1", seed=1)]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(vae_facts, "_NUM_POINTS", 320)
    return explore.write_explorer(folders, folder / "explorer.html", num_images=3), folders


CASES = {
  "vae conv": lambda: vae(dl.networks.deconv_decoder, (64, 64, 1)),
  "vae conv tanh rgb": lambda: vae(dl.networks.deconv_decoder, (64, 64, 3), activation="tanh"),
  "vae fc": lambda: vae(dl.networks.fc_decoder, (10, 7, 1)),
  "vae own": lambda: vae(own_decoder, (12, 18, 3)),
  "infogan": lambda: infogan((12, 20, 1), num_noise=5),
  "infogan without categories": lambda: infogan((8, 8, 1), num_categories=0, num_noise=5),
  "vae fc in full size": lambda: vae(dl.networks.fc_decoder, (64, 64, 1)),
  "infogan in full size": lambda: infogan((28, 28, 1)),
}
QUICK = ("vae fc", "infogan")


@needs_chromium
@pytest.mark.parametrize(
  "case",
  [pytest.param(case, marks=[] if case in QUICK else pytest.mark.slow) for case in CASES],
)
def test_images_are_those_of_tensorflow(case, page, tmp_path):
  model = CASES[case]()
  folder = stored_run.write(model, tmp_path / "run")
  path = explore.write_explorer(
    [folder], tmp_path / "explorer.html", max_megabytes=60, show_data=False, trust_model=True
  )
  rng, run = np.random.default_rng(3), dl.load(folder, trust_model=True)
  if isinstance(model, dl.InfoGAN):
    parts = [rng.normal(size=(20, size)) for size in (model.num_continuous, model.num_noise)]
    categories = np.arange(20) % model.num_categories if model.num_categories else None
    images = run.model.generate(*parts, categories)
    one_hot = [np.eye(10)[categories]] if model.num_categories else []
    codes = np.concatenate([*one_hot, *parts], axis=1)
  else:
    codes = rng.normal(size=(20, 10))
    images = run.decode(codes)
  page.open(path)
  shown = page.ask(f"{codes.tolist()}.map((code) => Array.from(models[0].decoder.decode(code)))")
  assert np.std(images) > 0.05
  np.testing.assert_allclose(np.reshape(shown, images.shape), images, atol=TOLERANCE)
  assert page.problems == []


def test_the_page_is_one_file_of_moderate_size_that_loads_nothing(pair):
  path, _ = pair
  text = path.read_text()
  assert path.stat().st_size < 2 * 1.2e6  # Two decoders of 0.38 million weights, as base64.
  assert not re.search(r"(?:src|href)=|url\(|https?://", text)
  assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" in text


def test_the_address_keeps_the_state(pair, page):
  path, _ = pair
  z = [0.5, -1.25, 0.13, 2.0]
  page.open(path, "start=2&axes=latents&z0=" + ",".join(map(str, z)))
  facts = page.ask("models.map(({ facts }) => facts)")
  labels = [f"latent {k}" for k in range(4)]
  rows = (
    "models[M].rows.map(({ line }) => [line.firstChild.textContent, line.querySelector('output')"
  )
  rows += ".textContent])"
  shown = dict(page.ask(rows.replace("M", "0")))
  assert [shown[label].replace("\u2212", "-") for label in labels] == [f"{v:.2f}" for v in z]
  # The other model is at the mean of the third image.
  mean = facts[1]["starts"][2]["mean"]
  shown = dict(page.ask(rows.replace("M", "1")))
  assert [shown[label].replace("\u2212", "-") for label in labels] == [
    f"{value:.2f}".replace("-0.00", "0.00") for value in mean
  ]
  # A slider that is moved along a noise axis changes z by that much along it, and the address.
  page.press("a")
  axis = facts[0]["axes"][1]["axes"][0]
  page.ask(
    "(() => { const { input } = models[0].rows[0]; input.value = 1.5; for (const name of ['input', "
    "'change']) input.dispatchEvent(new Event(name)); })()"
  )
  moved = np.array(z) + (1.5 - np.dot(axis, z)) * np.array(axis)
  fragment = page.ask("location.hash")
  assert "start=2&axes=noise&z0=" in fragment and "z1=" not in fragment
  np.testing.assert_allclose(json.loads(f"[{fragment.partition('z0=')[2]}]"), moved, atol=2e-3)
  page.open(path, fragment[1:])
  np.testing.assert_allclose(page.ask("Array.from(models[0].z)"), moved, atol=2e-3)
  assert page.problems == []


@pytest.mark.parametrize(
  "fragment",
  ["start=7&axes=none&z0=1,2", "z0=1,2,3,x&z1=1e999,0,0,0", "start=-1&category0=5", "%&=="],
)
def test_an_address_that_means_nothing_is_the_first_image(fragment, pair, page):
  path, _ = pair
  page.open(path, fragment)
  facts = page.ask("models[0].facts")
  assert page.ask("[state.start, state.axes]") == [0, "latents"]
  assert page.ask("Array.from(models[0].z)") == facts["starts"][0]["mean"]
  assert page.problems == []


def test_noise_axes_of_a_rotated_model_do_what_latents_of_the_plain_one_do(pair, page):
  path, _ = pair
  page.open(path, "axes=noise")
  plain, rotated = page.ask("models.map(({ facts }) => facts.axes)")
  assert plain[0]["tells"]["names"] == [f"factor_{k}" for k in range(10)]
  images = page.ask(
    "models.map((model) => model.rows.map((row) => { const { z } = model; const before = z.slice();"
    "moveTo(model, row.axis, dot(row.axis, z) + 1); const image = Array.from(model.decoder.decode("
    "codeOf(model, z))); z.set(before); return image; }))"
  )
  # Eigenvectors have no sign: compare what the two directions do.
  origin = np.array(
    page.ask("Array.from(models[0].decoder.decode(codeOf(models[0], models[0].z)))")
  )
  np.testing.assert_allclose(np.abs(np.linalg.det(rotated[1]["axes"])), 1, atol=1e-5)
  np.testing.assert_allclose(rotated[1]["kl"], plain[1]["kl"], rtol=1e-3)
  signs = np.sign(np.sum((images[0] - origin) * (images[1] - origin), axis=1))
  same = signs > 0
  assert same.any()
  np.testing.assert_allclose(
    np.array(images[0])[same], np.array(images[1])[same], atol=3 * TOLERANCE
  )
  # Latents of the rotated model do something else.
  assert np.abs(np.eye(4) @ rotated[1]["axes"]).max(axis=1).min() < 0.9


def test_keys_and_play(pair, page):
  path, _ = pair
  page.open(path)
  for key, expected in (("n", [1, "latents"]), ("p", [0, "latents"]), ("p", [2, "latents"])):
    page.press(key)
    assert page.ask("[state.start, state.axes]") == expected
  page.ask("models[1].rows[3].input.focus()")
  page.press("a")
  page.press("a")
  assert page.ask("[state.start, state.axes]") == [2, "image"]
  # The sliders are new ones, and the one in the same place has the focus.
  assert page.ask("models[1].rows[3].input === document.activeElement")
  means = page.ask("models.map(({ facts }) => facts.starts[2].mean)")
  page.press(" ")
  moving = "document.querySelectorAll('.moving').length"
  page.ask(
    f"new Promise((r) => {{ const f = () => {moving} ? r() : requestAnimationFrame(f); f(); }})"
  )
  assert page.ask(moving) == 2
  page.ask("new Promise((resolve) => setTimeout(resolve, 300))")
  page.press(" ")
  assert page.ask("state.playing") is None and page.ask(moving) == 0
  assert "z0=" in page.ask("location.hash") and "z1=" in page.ask("location.hash")
  page.press("r")
  assert page.ask("models.map(({ z }) => Array.from(z))") == means
  assert page.problems == []


def test_a_traversal_goes_up_down_and_back(pair, page):
  path, _ = pair
  page.open(path)
  times = [0, 0.125, 0.375, 0.625, 0.875]
  found = page.ask(f"{times}.map((time) => [traversal(1, 2, time), traversal(-5, 2, time)])")
  assert found == [[1, -2], [2, -1], [0, 1], [-2, 1], [0, -1]]


def test_reconstruction_and_stddevs_are_those_of_the_model(pair, page):
  path, folders = pair
  page.open(path)
  run = dl.load(folders[1])
  facts = page.ask("models[1].facts")
  pixels = page.ask("Array.from(imageOf(models[1], 0))")
  images = np.reshape(pixels, (1, 64, 64, 1)).astype(np.uint8)
  posterior = run.posterior(images)  # Of the image in whole numbers of 255.
  np.testing.assert_allclose(facts["starts"][0]["mean"], posterior.mean[0], atol=0.02)
  band = page.ask("models[1].rows.map(({ line }) => line.querySelector('.band').title)")
  stddevs = {f"latent {k}": value for k, value in enumerate(posterior.stddev[0])}
  for label, title in zip(facts["axes"][0]["labels"], band, strict=True):
    assert float(title.partition("\u00b1 ")[2]) == pytest.approx(stddevs[label], abs=0.02)
  drawn = page.ask(
    "Array.from(models[1].reconstruction.getContext('2d').getImageData(0, 0, 64, 64).data)"
  )
  expected = 255 * run.reconstruct(images)[0, :, :, 0]
  np.testing.assert_allclose(np.reshape(drawn, (64, 64, 4))[:, :, 0], expected, atol=3)


@pytest.mark.slow
def test_infogan_has_categories_and_draws_of_noise(page, tmp_path):
  model = infogan((8, 8, 1), num_continuous=2, num_noise=3)
  folder = stored_run.write(model, tmp_path / "run", infogan__continuous_prior="'uniform'")
  path = explore.write_explorer([folder], tmp_path / "explorer.html", num_images=4, max_megabytes=5)
  page.open(path, "start=1&category0=6&z0=0.5,-0.25")
  facts = page.ask("models[0].facts")
  code = page.ask("codeOf(models[0], models[0].z)")
  assert code == [*np.eye(10)[6], 0.5, -0.25, *facts["noises"][1]]
  np.testing.assert_allclose(
    facts["noises"], np.random.RandomState(0).normal(size=(4, 3)), atol=1e-4
  )
  assert facts["limit"] == 1
  pressed = "document.querySelector('[aria-label=Category] [aria-pressed=true]').textContent"
  assert page.ask(pressed) == "6"
  assert [found["name"] for found in facts["axes"]] == ["code", "noise axis"]
  assert page.problems == []


def record_mig(folder, information, entropy):
  values = {"mutual_information_matrix": information, "factor_entropy": entropy}
  config = configs.Config({}, "")
  results.write_results(folder.parent / "metrics/mean/mig", "evaluation", values, {}, config=config)


@pytest.mark.slow
def test_without_data_what_latents_tell_is_read_from_the_record(pair, tmp_path):
  model = vae(dl.networks.test_decoder, (64, 64, 1), num_latent=2)
  folder = stored_run.write(model, tmp_path / "run")
  facts = vae_facts.describe(folder, 3, 1, show_data=False)
  assert facts["axes"][0]["tells"] is None and facts["images"] is None
  record_mig(folder, [[0.5] * 10, [0.25] * 10], [1.0] * 10)
  (latents,) = vae_facts.describe(folder, 3, 1, show_data=False)["axes"]
  assert latents["tells"]["shares"] == [[0.5] * 10, [0.25] * 10]
  assert latents["tells"]["score"] == "MIG 0.250"


@pytest.mark.slow
def test_what_latents_tell_is_what_mig_records(tmp_path):
  model = vae(dl.networks.test_decoder, (64, 64, 1), num_latent=3)
  folder = stored_run.write(model, tmp_path / "run")
  facts = vae_facts.describe(folder, 3, 1)
  found = dl.evaluate(dl.load(folder), dl.load_data("dummy_data"), ["mig"])["mig"]
  expected = np.divide(found["mutual_information_matrix"], found["factor_entropy"])
  order = [int(label.removeprefix("latent ")) for label in facts["axes"][0]["labels"]]
  np.testing.assert_allclose(facts["axes"][0]["tells"]["shares"], expected[order], atol=2e-3)
  # Batches of another size change the last digits of a code, which may change its bin.
  score = float(facts["axes"][0]["tells"]["score"].removeprefix("MIG "))
  assert score == pytest.approx(found["discrete_mig"], abs=1e-3)


@pytest.mark.slow
def test_the_same_models_give_the_same_page(pair, tmp_path, monkeypatch):
  path, folders = pair
  monkeypatch.setattr(vae_facts, "_NUM_POINTS", 320)
  again = explore.write_explorer(folders, tmp_path / "again.html", num_images=3)
  assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
  "settings, message",
  [
    ({"num_images": 0}, r"num_images must be in \[1, 64\], got 0"),
    ({"max_megabytes": 0}, "max_megabytes must be positive, got 0"),
    ({"max_megabytes": 0.1}, r"1\.0 MB in the page; the limit is max_megabytes=0\.1"),
  ],
)
def test_settings_out_of_range(settings, message, pair, tmp_path):
  with pytest.raises(errors.ConfigError, match=message):
    settings = {"show_data": False, **settings}
    explore.write_explorer(pair[1], tmp_path / "explorer.html", **settings)
  assert not (tmp_path / "explorer.html").exists()


def test_the_program(pair, tmp_path, monkeypatch):
  path, folders = pair
  monkeypatch.setattr(vae_facts, "_NUM_POINTS", 320)
  flags = [f"--model_dir={folder}" for folder in folders]
  output = tmp_path / "page" / "explorer.html"
  done = programs.run("dl_condind_explore", *flags, f"--output_path={output}", "--num_images=3")
  assert (done.returncode, done.stdout) == (0, f"Explorer written to {output}\n")
  assert output.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
  "arguments, code, message",
  [
    ([], 2, "model_dir"),
    (["--model_dir={folder}/absent"], 3, "absent: there is no such folder"),
    (["--model_dir={0}"] * 3, 2, "model_dir must be given once or twice, got 3 folders"),
    (["--model_dir={0}", "--num_images=65"], 2, r"--num_images must be in \[1, 64\], got 65"),
    (
      ["--model_dir={0}", "--noshow_data", "--max_megabytes=0.1"],
      2,
      r"The decoder at .* has [\d,]+ weights, .* the limit is --max_megabytes=0\.1",
    ),
    (["--model_dir={needs_data}"], 3, "dsprites.*With --noshow_data the explorer does without"),
    (["--model_dir={0}", "--noshow_data", "--output_path={0}"], 2, "Cannot write"),
  ],
)
def test_mistakes_end_with_one_line(arguments, code, message, pair, tmp_path, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path / "no_data"))
  model = vae(dl.networks.test_decoder, (64, 64, 1), num_latent=2)
  needs_data = stored_run.write(model, tmp_path / "run", dataset="cars3d")
  output = tmp_path / "explorer.html"
  words = [
    word.format(*pair[1], folder=tmp_path, needs_data=needs_data)
    for word in [f"--output_path={output}", *arguments]
  ]
  done = programs.run("dl_condind_explore", *words)
  assert done.returncode == code
  (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
  assert re.search(message.replace("dsprites", "cars"), line)
  assert not output.exists()
