import functools
import gzip
import hashlib
import http.server
import io
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading

from helpers import testdata
import pytest

from dl_condind.data import data_files
from dl_condind.data import download
from dl_condind.data import sources
from dl_condind.data.ground_truth import cars3d
from dl_condind.data.ground_truth import dsprites
from dl_condind.data.ground_truth import dsprites_variants
from dl_condind.data.ground_truth import mnist
from dl_condind.data.ground_truth import norb
from dl_condind.data.ground_truth import shapes3d
from dl_condind.utils import errors
from dl_condind.utils import files

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = ROOT / "bin" / "dl_condind_download_data"
QUICK = download.Patience(attempts=1, first_delay=0.0, timeout=5.0)
ONE, TWO = b"one" * 1000, b"two" * 1000
CARS = ("car_001_mesh", "car_002_mesh")


def digest(content):
  return hashlib.sha256(content).hexdigest()


class Handler(http.server.SimpleHTTPRequestHandler):
  def do_GET(self):
    self.server.paths.append(self.path)
    super().do_GET()

  def log_message(self, *arguments):
    pass


@pytest.fixture
def server(tmp_path):
  """A server of the folder `served`, which counts the paths it is asked for."""
  (tmp_path / "served").mkdir()
  handler = functools.partial(Handler, directory=tmp_path / "served")
  with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
    server.paths = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()


@pytest.fixture
def folder(tmp_path, server, monkeypatch):
  """A data folder, for data sets that the server has."""
  monkeypatch.setenv("no_proxy", "*")
  served = tmp_path / "served"
  (served / "one.gz").write_bytes(gzip.compress(ONE))
  (served / "two").write_bytes(TWO)
  with tarfile.open(served / "cars.tar.gz", "w:gz") as archive:
    contents = {f"{name}.mat": name.encode() for name in CARS}
    contents["list.txt"] = "\n".join(CARS).encode()
    for name, content in contents.items():
      info = tarfile.TarInfo(f"data/cars/{name}")
      info.size = len(content)
      archive.addfile(info, io.BytesIO(content))

  def source(path, name, **facts):
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    return sources.File(path, urls=(url,), max_bytes=10**6, **facts)

  one, cars = (
    f"sha256:{digest((served / name).read_bytes())}" for name in ("one.gz", "cars.tar.gz")
  )
  raw = sources.File("one/one", f"sha256:{digest(ONE)}", len(ONE))
  members = sources.Members(sources.DATA_SETS["cars3d"][0].members.pattern, "list.txt", ".mat", 2)
  first = source("one/one.gz", "one.gz", checksum=one, equivalents=(raw,))
  data_sets = {
    "absent": (source("absent/a", "absent"), source("absent/b", "absent_too")),
    "one": (first,),
    "both": (source("two/two", "two"), first),
    "cars": (source("cars/cars.tar.gz", "cars.tar.gz", checksum=cars, members=members),),
  }
  monkeypatch.setattr(sources, "DATA_SETS", data_sets)
  return tmp_path / "data"


def obtain(folder, *names):
  data_files.obtain(names, folder, QUICK)


def tree(folder):
  paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
  return [str(path.relative_to(folder)) for path in paths]


def states(capsys, folder):
  """Returns the lines that were printed: first word and path."""
  lines = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
  return [(state, str(pathlib.Path(path).relative_to(folder))) for state, path in lines]


def test_only_what_is_not_there_is_fetched(folder, server, capsys):
  obtain(folder, "both", "one")
  assert states(capsys, folder) == [("fetched", "two/two"), ("fetched", "one/one.gz")]
  assert tree(folder) == ["one/one.gz", "two/two", "two/two.sha256"]
  obtain(folder, "one", "both")
  assert states(capsys, folder) == [("ok", "one/one.gz"), ("ok", "two/two")]
  (folder / "one" / "one.gz").write_bytes(b"damaged")
  obtain(folder, "both")
  assert states(capsys, folder) == [("ok", "two/two"), ("fetched", "one/one.gz")]
  assert server.paths == ["/two", "/one.gz", "/one.gz"]


def test_decompressed_file_will_do(folder, server, capsys):
  (folder / "one").mkdir(parents=True)
  (folder / "one" / "one").write_bytes(ONE)
  obtain(folder, "one")
  data_files.verify(["one"], folder)
  assert states(capsys, folder) == [("ok", "one/one")] * 2
  (folder / "one" / "one").write_bytes(ONE[::-1])  # It would be read before the one fetched.
  with pytest.raises(errors.DatasetError, match="one/one has sha256 .*: move it away and run"):
    obtain(folder, "one")
  with pytest.raises(errors.DatasetError, match="0 missing and 1 damaged"):
    data_files.verify(["one"], folder)
  assert server.paths == []


def test_file_put_there_by_hand_without_known_checksum(folder, server, capsys):
  (folder / "two").mkdir(parents=True)
  (folder / "two" / "two").write_bytes(b"by hand")
  obtain(folder, "both")
  assert states(capsys, folder) == [("unchecked", "two/two"), ("fetched", "one/one.gz")]
  assert server.paths == ["/one.gz"]


def test_folder_in_place_of_a_file(folder):
  (folder / "two" / "two").mkdir(parents=True)
  with pytest.raises(errors.DatasetError, match="1 missing and 1 damaged"):
    data_files.verify(["both"], folder)
  with pytest.raises(errors.ConfigError, match="Cannot write .*two \\(Is a directory\\)"):
    obtain(folder, "both")


def test_archive_is_unpacked_checked_and_repaired(folder, server, capsys):
  obtain(folder, "cars")
  assert states(capsys, folder) == [("fetched", "cars/cars.tar.gz"), ("unpacked", "cars")]
  names = ["cars/car_001_mesh.mat", "cars/car_002_mesh.mat", "cars/cars.sha256", "cars/list.txt"]
  assert tree(folder) == names
  obtain(folder, "cars")
  data_files.verify(["cars"], folder)
  assert states(capsys, folder) == [("ok", "cars")] * 2
  assert len(server.paths) == 1
  (folder / "cars" / "car_001_mesh.mat").write_bytes(b"damaged")
  (folder / "cars" / "car_002_mesh.mat").unlink()
  with pytest.raises(errors.DatasetError, match="1 missing and 1 damaged"):
    data_files.verify(["cars"], folder)
  assert states(capsys, folder) == [("damaged", names[0]), ("missing", names[1])]
  obtain(folder, "cars")
  data_files.verify(["cars"], folder)
  assert tree(folder) == names


def test_archive_that_is_there_is_unpacked_without_a_server(folder, server, tmp_path):
  (folder / "cars").mkdir(parents=True)
  shutil.copy(tmp_path / "served" / "cars.tar.gz", folder / "cars")
  obtain(folder, "cars")
  assert server.paths == []
  assert len(tree(folder)) == 4


def test_files_unpacked_by_hand_are_left_alone(folder, server, capsys):
  (folder / "cars").mkdir(parents=True)
  for name in CARS:
    (folder / "cars" / f"{name}.mat").write_bytes(b"by hand")
  (folder / "cars" / "list.txt").write_text("\n".join(CARS))
  obtain(folder, "cars")
  assert states(capsys, folder) == [("unchecked", "cars")]
  assert server.paths == []


def test_one_data_set_that_cannot_be_had(folder):
  with pytest.raises(errors.DatasetError) as caught:
    obtain(folder, "absent")
  (url,) = sources.DATA_SETS["absent"][0].urls
  assert str(caught.value) == (
    f"{folder}/absent/a could not be downloaded: put it there yourself and run the same command "
    f"again. URL: {url} (it answers 404 File not found). Checksum: not known."
  )
  assert tree(folder) == []


def test_others_are_fetched_all_the_same(folder, server, tmp_path):
  with pytest.raises(errors.DatasetError, match="absent/a could not be downloaded"):
    obtain(folder, "absent", "one")
  assert tree(folder) == ["one/one.gz"]
  (tmp_path / "served" / "two").unlink()
  with pytest.raises(errors.DatasetError, match="^These data sets could not be had: absent, both"):
    obtain(folder, "all")
  assert "cars/list.txt" in tree(folder)


def test_two_processes(folder, server):
  code = (
    "import pathlib, sys; from dl_condind.utils import files\n"
    "with files.locked(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
  )
  command = [sys.executable, "-c", code, str(folder / "one")]
  with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as other:
    assert other.stdout.readline() == "held\n"
    with pytest.raises(errors.TryAgainError, match=f"one is in use by process {other.pid}: wait"):
      obtain(folder, "one")
    other.communicate()
  assert server.paths == []
  obtain(folder, "one")
  assert tree(folder) == ["one/one.gz"]


def test_data_folder_that_is_a_file(folder, tmp_path):
  with pytest.raises(errors.ConfigError, match="Cannot write .*Not a directory"):
    obtain(tmp_path / "served" / "two", "one")


@pytest.mark.parametrize(
  ("names", "message"),
  [
    (["smalnorb"], r"datasets must name .*, all; got 'smalnorb'\. Did you mean 'smallnorb'\?"),
    (["mnist", "imagenet"], r"got 'imagenet'\.$"),
    ([], r"got ''\."),
  ],
)
def test_unknown_data_sets(tmp_path, names, message):
  for action in (data_files.obtain, data_files.verify):
    with pytest.raises(errors.ConfigError, match=message):
      action(names, tmp_path)


# The table.


def test_table_has_what_is_needed_of_every_file():
  for group in sources.select(["all"]).values():
    for source in group:
      assert source.urls
      assert (source.size is None) != (source.max_bytes is None)
      for form in (source, *source.equivalents):
        assert re.fullmatch(
          r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", form.checksum or "md5:" + "0" * 32
        )
        assert re.fullmatch(r"\w+/[\w.-]+", form.path)
      for url in source.urls:
        # What is not encrypted is only taken with a checksum.
        assert url.startswith("https://") or (url.startswith("http://") and source.checksum)


def test_table_has_the_names_that_are_read():
  paths = {name: [source.path for source in group] for name, group in sources.DATA_SETS.items()}
  every_form = {
    form.path
    for group in sources.DATA_SETS.values()
    for source in group
    for form in (source, *source.equivalents)
  }
  assert paths["dsprites_full"] == [f"{dsprites.FOLDER}/{dsprites.OFFICIAL_NPZ}"]
  assert f"{dsprites.FOLDER}/{dsprites.OFFICIAL_HDF5}" in every_form
  assert paths["shapes3d"] == [f"{shapes3d.FOLDER}/{shapes3d.FILE}"]
  scream = f"{dsprites_variants.SCREAM_FOLDER}/{dsprites_variants.SCREAM_FILE}"
  assert paths["scream_dsprites"] == [scream, *paths["dsprites_full"]]
  assert os.path.dirname(paths["cars3d"][0]) == cars3d.FOLDER
  assert sources.DATA_SETS["cars3d"][0].members.count == cars3d.NUM_OBJECTS
  for split in norb.SPLITS:
    for part in ("dat", "cat", "info"):
      assert {f"{norb.FOLDER}/{name}" for name in split.names(part)} <= every_form
  assert {os.path.dirname(path) for path in paths["mnist"]} == {mnist.FOLDER}
  assert len(paths["mnist"]) == 4


# Official files.


@pytest.fixture
def official_mnist(tmp_path):
  testdata.copy_mnist(tmp_path)
  for path in (tmp_path / "mnist").iterdir():
    path.chmod(0o644)
  return tmp_path


@testdata.needs_mnist
def test_official_mnist(official_mnist, capsys):
  data_files.verify(["mnist"], official_mnist)
  expected = [("ok", source.path) for source in sources.DATA_SETS["mnist"]]
  assert states(capsys, official_mnist) == expected
  for path in list((official_mnist / "mnist").glob("*.gz")):
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
  data_files.verify(["mnist"], official_mnist)
  expected = [(state, path.removesuffix(".gz")) for state, path in expected]
  assert states(capsys, official_mnist) == expected


@testdata.needs_mnist
def test_official_mnist_with_faults(official_mnist, capsys):
  first, second, third, last = (official_mnist / s.path for s in sources.DATA_SETS["mnist"])
  with open(first, "r+b") as file:
    file.seek(1_000_000)
    file.write(bytes(1))
  os.truncate(second, 100)
  third.unlink()
  with pytest.raises(
    errors.DatasetError,
    match=r"1 missing and 2 damaged; dl_condind_download_data --datasets=mnist fetches them\.",
  ):
    data_files.verify(["mnist"], official_mnist)
  found = hashlib.sha256(first.read_bytes()).hexdigest()
  expected = sources.DATA_SETS["mnist"][0].checksum.removeprefix("sha256:")
  assert capsys.readouterr().out.splitlines() == [
    f"damaged   {first} has sha256 {found} instead of {expected}",
    f"damaged   {second} has 100 bytes instead of 28881",
    f"missing   {third}",
    f"ok        {last} sha256 {hashlib.sha256(last.read_bytes()).hexdigest()}",
  ]


@testdata.needs_norb_labels
def test_official_norb_labels(tmp_path):
  shutil.copytree(testdata.NORB_LABELS, tmp_path / "small_norb")
  found = [data_files.check(source, tmp_path)[0] for source in sources.DATA_SETS["smallnorb"]]
  assert [finding.state for finding in found] == ["missing", "ok", "missing", "missing", "ok", "ok"]
  for path in list((tmp_path / "small_norb").glob("*.gz")):
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
  for source in sources.DATA_SETS["smallnorb"]:
    if (tmp_path / source.path).exists():
      assert [finding.state for finding in data_files.check(source, tmp_path)] == ["ok", "ok"]


# The program.


def run(folder, *arguments):
  """Runs the program where every server is out of reach."""
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    proxy = f"http://127.0.0.1:{free.getsockname()[1]}"
  environment = {**os.environ, "DISENTANGLEMENT_LIB_DATA": str(folder)}
  environment |= {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": ""}
  done = subprocess.run(
    [sys.executable, PROGRAM, *arguments], env=environment, capture_output=True, text=True
  )
  return done.returncode, done.stdout, done.stderr


@testdata.needs_mnist
def test_program_with_whole_files(official_mnist):
  code, stdout, stderr = run(official_mnist, "--datasets=mnist")
  assert (code, stderr) == (0, "")
  assert len(re.findall(r"^ok        \S+ sha256 [0-9a-f]{64}$", stdout, re.M)) == 4
  assert run(official_mnist, "--datasets=mnist", "--verify") == (0, stdout, "")


@testdata.needs_mnist
def test_program_with_a_data_folder(official_mnist, tmp_path):
  (official_mnist / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
  flags = ["--datasets=mnist,shapes3d", "--verify", f"--data_folder={official_mnist}"]
  code, stdout, stderr = run(tmp_path / "elsewhere", *flags)
  assert code == 3
  assert [line.split()[0] for line in stdout.splitlines()] == ["ok"] * 3 + ["missing"] * 2
  assert stderr == (
    f"error: {official_mnist}: 2 missing and 0 damaged; "
    "dl_condind_download_data --datasets=mnist,shapes3d fetches them.\n"
  )


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--datasets=cars"], "got 'cars'. Did you mean 'cars3d'?"),
    (["--datasets="], "got ''."),
    ([], "--datasets"),
  ],
)
def test_program_with_wrong_flags(tmp_path, flags, message):
  code, stdout, stderr = run(tmp_path, *flags)
  assert (code, stdout) == (2, "")
  assert stderr.startswith("error: ")
  assert stderr.count("\n") == 1
  assert message in stderr


def test_program_in_a_folder_that_is_in_use(tmp_path):
  with files.locked(tmp_path / "scream"):
    code, _, stderr = run(tmp_path, "--datasets=scream_dsprites")
  assert code == 75
  assert "scream is in use by process" in stderr
