"""What tests read: the files of `tests/testdata`, and official ones that are not in a clone."""

import json
import pathlib
import shutil

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "testdata"

# Beside the repository, read-only: the data sets' own files, too large for a copy.
OFFICIAL = ROOT.parent / "shared" / "data"
MNIST = OFFICIAL / "mnist"
NORB_LABELS = OFFICIAL / "smallnorb_labels"
_NO_MNIST = f"the official MNIST files are not in {MNIST}"
_NO_NORB_LABELS = f"the official SmallNORB label files are not in {NORB_LABELS}"
needs_mnist = pytest.mark.skipif(not MNIST.is_dir(), reason=_NO_MNIST)
needs_norb_labels = pytest.mark.skipif(not NORB_LABELS.is_dir(), reason=_NO_NORB_LABELS)


def copy_mnist(data_folder):
  """Copies the official MNIST files into a data folder; skips the test where they are absent."""
  if not MNIST.is_dir():
    pytest.skip(_NO_MNIST)
  shutil.copytree(MNIST, data_folder / "mnist")


def dlib_example():
  """Returns representations, [19440, 10], factors, [19440, 4], and dlib's values for them."""
  with np.load(FOLDER / "dlib_example.npz") as table:
    representations, factors = table["representations"], table["factors"]
  values = json.loads((FOLDER / "dlib_example.json").read_text(encoding="utf-8"))
  return representations, factors, values


def dlib_draws():
  """Returns what dlib's labellers and its `dynamics` make of seeds."""
  return json.loads((FOLDER / "dlib_draws.json").read_text(encoding="utf-8"))


def dlib_puzzles():
  """Returns what dlib's puzzles are for some seeds."""
  return json.loads((FOLDER / "dlib_puzzles.json").read_text(encoding="utf-8"))


def dsprites_frames():
  """Returns genuine frames of dSprites, [324, 64, 64], and their rows in the data set, [324]."""
  with np.load(FOLDER / "dsprites_frames.npz") as frames:
    return frames["imgs"], frames["index"]
