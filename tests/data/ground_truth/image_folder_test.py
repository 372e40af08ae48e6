import hashlib
import io
import os
import pathlib
import re
import struct
import subprocess
import sys
import zlib

import gin
import numpy as np
from PIL import Image
import pytest

from dl_condind.data.ground_truth import image_folder
from dl_condind.data.ground_truth import named_data
from dl_condind.utils import errors

RANDOM = np.random.RandomState(0)
COLORED = RANDOM.randint(256, size=(6, 5, 7, 3), dtype=np.uint8)
GRAY = RANDOM.randint(256, size=(6, 5, 7), dtype=np.uint8)
NAMES = [f"{i}.png" for i in range(6)]
TABLE = "file,a,b\n" + "".join(f"{i}.png,{i // 3},{i % 3}\n" for i in range(6))


def write(folder, images=COLORED, names=NAMES, table=None):
  folder.mkdir(exist_ok=True)
  for image, name in zip(images, names, strict=True):
    Image.fromarray(image).save(folder / name)
  if table is not None:
    (folder / "factors.csv").write_text(table, encoding="utf-8")
  return folder


def load(folder, *arguments):
  data = image_folder.ImageFolder(str(folder), *arguments)
  data.load()
  return data


def mode_of(path):
  with Image.open(path) as image:
    return image.mode


def images_of(data):
  return data.observations_from_rows(np.arange(data.num_rows))


@pytest.fixture
def folder(tmp_path):
  return write(tmp_path / "own", table=TABLE)


def test_images_and_factors_are_those_of_the_folder(folder):
  data = load(folder)
  assert (data.name, data.path, data.num_rows) == ("image_folder", folder, 6)
  assert (data.factor_names, data.factors_num_values) == (["a", "b"], [2, 3])
  assert data.observation_shape == (5, 7, 3)
  assert data.has_complete_grid
  np.testing.assert_array_equal(data.factors, np.stack(np.divmod(np.arange(6), 3), axis=1))
  np.testing.assert_array_equal(images_of(data), COLORED.astype(np.float32) / np.float32(255))
  rows = np.random.RandomState(2).randint(6, size=20)
  factors, observations = data.sample(20, np.random.RandomState(2))
  np.testing.assert_array_equal(factors, data.factors[rows])
  np.testing.assert_array_equal(observations, images_of(data)[rows])


def test_images_are_all_png_and_jpeg_files_sorted_by_name(tmp_path):
  folder = write(tmp_path, COLORED[:4] // 200 * 255, ["b.PNG", "a.jpg", "B.jpeg", "10.JPG"])
  (folder / "notes.txt").write_text("no image")
  (folder / "._a.png").write_text("no image")
  (folder / "more").mkdir()
  write(folder / "more")
  data = load(folder)
  decoded = [np.asarray(Image.open(folder / n)) for n in ("10.JPG", "B.jpeg", "a.jpg", "b.PNG")]
  np.testing.assert_array_equal(np.round(images_of(data) * 255), decoded)


def test_gray_images_have_one_channel(tmp_path):
  folder = write(tmp_path, GRAY)
  Image.fromarray(GRAY[0] > 99).save(folder / "0.png")
  assert mode_of(folder / "0.png") == "1"
  data = load(folder)
  assert data.observation_shape == (5, 7, 1)
  np.testing.assert_array_equal(images_of(data)[1:, ..., 0], np.float32(GRAY[1:]) / 255)
  np.testing.assert_array_equal(images_of(data)[0, ..., 0], GRAY[0] > 99)


def test_palettes_are_looked_up(folder):
  image = Image.fromarray(COLORED[0]).quantize(8)
  image.save(folder / "0.png")
  assert mode_of(folder / "0.png") == "P"
  palette = np.reshape(image.getpalette(), (-1, 3))
  expected = palette[np.asarray(image)]
  np.testing.assert_array_equal(np.round(images_of(load(folder))[0] * 255), expected)


def test_provenance_is_images_and_table(folder):
  lines = [
    f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
    for name in [*NAMES, "factors.csv"]
  ]
  sha256 = hashlib.sha256("".join(lines).encode()).hexdigest()
  expected = {"dataset": "image_folder", "source": "own images", "sha256": sha256, "path": "own"}
  assert load(folder).provenance() == expected
  (folder / "factors.csv").unlink()
  sha256 = hashlib.sha256("".join(lines[:-1]).encode()).hexdigest()
  assert load(folder).provenance()["sha256"] == sha256


def test_images_are_decoded_once(folder, monkeypatch):
  found = images_of(load(folder))
  caches = sorted(path.name for path in folder.glob(".images-*"))
  assert [pathlib.Path(name).suffix for name in caches] == [".npy", ".sha256"]
  program = """
import sys
import numpy as np
from dl_condind.data.ground_truth import image_folder
image_folder._decode = None
data = image_folder.ImageFolder(sys.argv[1])
print(data.observations_from_rows(np.arange(6)).tobytes().hex())
assert "tensorflow" not in sys.modules
"""
  done = subprocess.run(
    [sys.executable, "-c", program, folder], check=True, capture_output=True, text=True
  )
  assert done.stdout.strip() == found.tobytes().hex()
  assert sorted(path.name for path in folder.glob(".images-*")) == caches


def test_changed_image_is_decoded_anew(folder):
  first = load(folder)
  Image.fromarray(COLORED[5]).save(folder / "0.png")
  second = load(folder)
  np.testing.assert_array_equal(images_of(second)[0], images_of(second)[5])
  np.testing.assert_array_equal(images_of(first)[0], np.float32(COLORED[0]) / 255)
  assert first.provenance()["sha256"] != second.provenance()["sha256"]


def test_damaged_cache_is_made_again(folder):
  expected = images_of(load(folder))
  (cache,) = folder.glob(".images-*.npy")
  content = bytearray(cache.read_bytes())
  content[-1] ^= 1
  cache.write_bytes(content)
  os.utime(folder / "0.png", ns=(1, 1))  # So that this process reads it again.
  np.testing.assert_array_equal(images_of(load(folder)), expected)


@pytest.mark.parametrize(
  "change",
  [
    lambda folder: (folder / "0.png").unlink(),
    lambda folder: Image.fromarray(COLORED[5]).save(folder / "0.png", compress_level=0),
    lambda folder: Image.fromarray(COLORED[5]).save(folder / "9.png"),
    lambda folder: (folder / "factors.csv").write_text(TABLE.replace("b", "longer")),
    lambda folder: (folder / "factors.csv").unlink(),
  ],
)
def test_folder_that_changes_before_it_is_read_is_refused(folder, change):
  data = image_folder.ImageFolder(str(folder))
  change(folder)
  with pytest.raises(errors.DatasetError, match=f"^{folder} has changed since it was opened"):
    data.load()


def test_path_is_relative_to_the_data_folder(folder, monkeypatch):
  monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(folder.parent))
  gin.parse_config(["dataset.name = 'image_folder'", "image_folder.path = 'own'"])
  data = named_data.get_named_ground_truth_data()
  assert isinstance(data, image_folder.ImageFolder)
  assert data.path == folder


@pytest.mark.parametrize("path", [None, ""])
def test_path_is_required(path):
  with pytest.raises(errors.ConfigError, match=r"^image_folder\.path must be the name of a folder"):
    image_folder.ImageFolder(path)


def test_missing_folder_is_named(tmp_path):
  with pytest.raises(
    errors.DatasetError, match=f"^{tmp_path}/no is missing: image_folder.path must"
  ):
    image_folder.ImageFolder(str(tmp_path / "no"))


def test_file_instead_of_folder_is_refused(folder):
  with pytest.raises(errors.DatasetError, match=r"^Cannot read .*0\.png \(Not a directory\)\."):
    image_folder.ImageFolder(str(folder / "0.png"))


def test_folder_without_images_is_refused(tmp_path):
  write(tmp_path / "sub")
  (tmp_path / "a.gif").touch()
  message = f"^{tmp_path} holds no images, .png, .jpg, .jpeg: put them there, not into folders in"
  with pytest.raises(errors.DatasetError, match=message):
    image_folder.ImageFolder(str(tmp_path))


def _png(width, height, *chunks):
  """Returns a PNG file with a header and chunks."""

  def chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum

  header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
  parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
  return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def _save(image, kind="PNG", **options):
  def spoil(path):
    image.save(path, kind, **options)

  return spoil


def _sixteen_bits(path):
  rows = b"".join(b"\0" + bytes(7 * 6) for _ in range(5))
  content = _png(7, 5, (b"IDAT", zlib.compress(rows)))
  content = content.replace(struct.pack(">IIBB", 7, 5, 8, 2), struct.pack(">IIBB", 7, 5, 16, 2))
  checksum = struct.pack(">I", zlib.crc32(content[12:29]))
  path.write_bytes(content[:29] + checksum + content[33:])


def _jpeg_cut_short(path):
  content = io.BytesIO()
  Image.fromarray(COLORED[0]).save(content, "JPEG")
  path.write_bytes(content.getvalue()[:-30])


RGBA = Image.fromarray(COLORED[0]).convert("RGBA")
WRONG_IMAGES = {
  "empty": (lambda path: path.write_bytes(b""), "cannot identify image file"),
  "text": (lambda path: path.write_text("<html>"), "cannot identify image file"),
  "folder": (lambda path: path.unlink() or path.mkdir(), "it is not a file"),
  "pipe": (lambda path: path.unlink() or os.mkfifo(path), "it is not a file"),
  "lost link": (lambda path: path.unlink() or path.symlink_to("no"), "it is missing"),
  "cut short": (lambda path: os.truncate(path, 100), "truncated|Truncated"),
  "JPEG cut short": (_jpeg_cut_short, "truncated"),
  "GIF": (_save(Image.fromarray(COLORED[0]), "GIF"), "cannot identify image file"),
  "TIFF": (_save(Image.fromarray(COLORED[0]), "TIFF"), "cannot identify image file"),
  "EPS": (lambda path: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n"), "cannot identify image"),
  "RGBA": (_save(RGBA), "it has transparent pixels"),
  "LA": (_save(RGBA.convert("LA")), "it has transparent pixels"),
  "transparent palette": (
    _save(RGBA.convert("RGB").quantize(8), transparency=0),
    "it has transparent pixels",
  ),
  "transparent color": (
    _save(RGBA.convert("RGB"), transparency=(0, 0, 0)),
    "it has transparent pixels",
  ),
  "16 bits of gray": (
    _save(Image.fromarray(GRAY[0].astype(np.uint16))),
    "it has 16 bits for each channel",
  ),
  "16 bits": (_sixteen_bits, "it has 16 bits for each channel, not 8"),
  "CMYK": (_save(RGBA.convert("CMYK"), "JPEG"), "its colors are CMYK, not gray or RGB"),
  "size": (
    _save(Image.fromarray(COLORED[0, :4])),
    r"it is 4 x 7 with 3 channel\(s\), not 5 x 7 with 3 channel\(s\) like 0\.png",
  ),
  "channels": (_save(Image.fromarray(GRAY[0])), r"it is 5 x 7 with 1 channel\(s\), not 5 x 7 with"),
  "pixels": (
    lambda path: path.write_bytes(_png(10_000, 5_001)),
    "it has 50010000 pixels, more than 50000000",
  ),
  "bomb": (
    lambda path: path.write_bytes(_png(12_000, 12_000)),
    r"Image size \(144000000 pixels\) exceeds limit",
  ),
  "large bomb": (
    lambda path: path.write_bytes(_png(60_000, 60_000)),
    r"Image size \(3600000000 pixels\) exceeds limit",
  ),
  "text bomb": (
    lambda path: path.write_bytes(
      _png(7, 5, (b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7))), (b"IDAT", b""))
    ),
    "Decompressed data too large",
  ),
}


@pytest.mark.parametrize("name", ["0.png", "3.png"])
@pytest.mark.parametrize("case", WRONG_IMAGES)
def test_image_that_cannot_be_used_is_named(folder, case, name):
  if name == "0.png" and case in ("size", "channels"):
    pytest.skip("the first image decides")
  spoil, message = WRONG_IMAGES[case]
  spoil(folder / name)
  with pytest.raises(errors.DatasetError, match=message) as error:
    load(folder)
  first, *context = str(error.value).splitlines()
  assert first.startswith(f"{folder / name} is damaged or not an image that image_folder can use (")
  assert first.endswith("): convert or replace it, or take it out of the folder.")
  assert all("In call to configurable" in line for line in context)
  assert not list(folder.glob(".images-*")) + list(folder.glob(".*.tmp"))


def test_without_a_table_there_are_no_factors(folder):
  (folder / "factors.csv").unlink()
  data = load(folder)
  assert (data.factor_names, data.num_factors, data.num_rows) == ([], 0, 6)


def test_another_table_can_be_named(folder):
  (folder / "factors.csv").rename(folder / "labels.csv")
  assert load(folder, "labels.csv").factor_names == ["a", "b"]
  message = "no.csv is damaged or not a table of factors \\(it is missing\\)"
  with pytest.raises(errors.DatasetError, match=message):
    image_folder.ImageFolder(str(folder), "no.csv")


def test_rows_of_the_table_come_in_any_order(folder):
  header, *rows = TABLE.splitlines(keepends=True)
  (folder / "factors.csv").write_text(header + "".join(rows[::-1]))
  data = load(folder)
  np.testing.assert_array_equal(data.factors, np.stack(np.divmod(np.arange(6), 3), axis=1))


def _column(values, name="a"):
  return f"file,{name}\n" + "".join(f"{i}.png,{value}\n" for i, value in enumerate(values))


@pytest.mark.parametrize(
  ("table", "factors", "num_values"),
  [
    (_column([3, 0, "+1", 3, "02", 0]), [3, 0, 1, 3, 2, 0], [4]),
    (_column([3, 0, 1, 3, 2, 0.5]), [3, 0, 1, 3, 2, 0.5], [5]),
    (_column([3, 0, 1, 3, 2, "0.0"]), [3, 0, 1, 3, 2, 0.0], [4]),
    (_column(["-1e-3", ".5", "2.", "1E2", 0, -7]), [-1e-3, 0.5, 2, 100, 0, -7], [6]),
    ("\ufeff" + _column([0, 1] * 3), [0, 1] * 3, [2]),
    (_column([0, 1] * 3).replace("\n", "\r\n") + "\r\n", [0, 1] * 3, [2]),
    (_column([0, 1] * 3).replace(",", ", "), [0, 1] * 3, [2]),
    (_column(['"0"', 1, 0, 1, 0, 1]), [0, 1] * 3, [2]),
  ],
)
def test_columns_are_integers_or_continuous(folder, table, factors, num_values):
  (folder / "factors.csv").write_bytes(table.encode())
  data = load(folder)
  assert data.factor_names == ["a"]
  np.testing.assert_array_equal(data.factors[:, 0], factors)
  assert data.factors_num_values == num_values
  is_integer = num_values in ([2], [4]) and "0.0" not in table
  assert data.factors.dtype == (np.int64 if is_integer else np.float64)


def test_integers_beside_a_continuous_factor_keep_their_size(folder):
  rows = "".join(f"{i}.png,{i % 2},{i / 8},{3 * i}\n" for i in range(6))
  (folder / "factors.csv").write_text(f"file,a,b,c\n{rows}")
  data = load(folder)
  assert data.factors_num_values == [2, 6, 16]
  assert data.factors.dtype == np.float64


def test_table_may_name_no_factors(folder):
  (folder / "factors.csv").write_text("file\n" + "".join(f"{name}\n" for name in NAMES))
  assert load(folder).factors.shape == (6, 0)


WRONG_TABLES = {
  "empty": ("", "its first line begins with '', not file"),
  "no header": (TABLE.partition("\n")[2], "its first line begins with '0.png', not file"),
  "semicolons": (TABLE.replace(",", ";"), "its first line begins with 'file;a;b', not file"),
  "blank first": (f"\n{TABLE}", "its first line begins with '', not file"),
  "same names": (TABLE.replace("a,b", "a,a"), "two factors have the name 'a'"),
  "empty name": (TABLE.replace("a,b", "a,"), "the name '' of factor 1 is empty"),
  "many names": (
    f"file,{','.join(map(str, range(1001)))}\n",
    "it has 1001 factors, more than 1000",
  ),
  "missing": (TABLE.replace("4.png,1,1\n", ""), "it has no line for 4.png)"),
  "all missing": ("file,a\n", "it has no line for 0.png and 5 more images)"),
  "extra": (f"{TABLE}6.png,1,1\n", "line 8 names 6.png, which is no image in the folder"),
  "twice": (f"{TABLE}0.png,0,0\n", "line 8 names 0.png, again"),
  "few entries": (TABLE.replace("4.png,1,1", "4.png,1"), "line 6 has 1 factors, not 2"),
  "many entries": (TABLE.replace("4.png,1,1", "4.png,1,1,1"), "line 6 has 3 factors, not 2"),
  "text": (TABLE.replace("4.png,1,1", "4.png,1,cat"), "line 6: b is 'cat', not a number"),
  "nothing": (TABLE.replace("4.png,1,1", "4.png,1,"), "line 6: b is '', not a number"),
  "NaN": (TABLE.replace("4.png,1,1", "4.png,1,nan"), "line 6: b is 'nan', not a number"),
  "infinity": (TABLE.replace("4.png,1,1", "4.png,1,inf"), "line 6: b is 'inf', not a number"),
  "underscore": (TABLE.replace("4.png,1,1", "4.png,1,1_0"), "line 6: b is '1_0', not a number"),
  "other digits": (TABLE.replace("4.png,1,1", "4.png,1,\u0663"), "line 6: b is '\u0663', not a"),
  "too large": (
    TABLE.replace("4.png,1,1", "4.png,1,1e999"),
    "b of 4.png is inf, not a finite numb",
  ),
  "long": (TABLE.replace("4.png,1,1", f"4.png,1,{'9' * 30}"), "b of 4.png is 1e+30, not a whole"),
  "longer": (TABLE.replace("4.png,1,1", f"4.png,1,{'9' * 500}"), "b of 4.png is inf, not a whole"),
  "negative": (TABLE.replace("4.png,1,1", "4.png,1,-1"), "b of 4.png is -1.0, not a whole number"),
  "quotes": (TABLE.replace("4.png,1,1", '4.png,1,"1'), "unexpected end of data"),
  "long entry": (f"{TABLE}{'x' * 200_000},0,0\n", "field larger than field limit"),
}


@pytest.mark.parametrize("case", WRONG_TABLES)
def test_table_that_does_not_fit_is_refused(folder, case):
  table, message = WRONG_TABLES[case]
  path = folder / "factors.csv"
  path.write_text(table, encoding="utf-8")
  with pytest.raises(errors.DatasetError, match=re.escape(message)) as error:
    image_folder.ImageFolder(str(folder))
  first = str(error.value).splitlines()[0]
  assert first.startswith(f"{path} is damaged or not a table of factors (")
  assert first.endswith(
    "): correct it; its first line is file,NAME,... and every image has a line."
  )


@pytest.mark.parametrize(
  ("spoil", "message"),
  [
    (lambda path: path.write_bytes(b"file,a\n\xff.png,1\n"), "can't decode byte 0xff"),
    (lambda path: path.unlink() or path.mkdir(), "it is not a file"),
    (lambda path: os.truncate(path, 2**28 + 1), "it has more than 268435456 bytes"),
  ],
)
def test_table_that_cannot_be_read_is_refused(folder, spoil, message):
  spoil(folder / "factors.csv")
  with pytest.raises(errors.DatasetError, match=message):
    image_folder.ImageFolder(str(folder))


def test_pipe_for_a_table_is_not_waited_for(folder):
  (folder / "factors.csv").unlink()
  os.mkfifo(folder / "factors.csv")
  with pytest.raises(errors.DatasetError, match="it is not a file"):
    image_folder.ImageFolder(str(folder))
