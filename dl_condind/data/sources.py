"""Where the files of the data sets come from: a table of paths, URLs, sizes and checksums.

The folders are those of disentanglement_lib.
"""

from collections.abc import Sequence
import dataclasses

from dl_condind.utils import checks
from dl_condind.utils import errors


@dataclasses.dataclass(frozen=True)
class Members:
  """The part of a .tar.gz that is wanted. It replaces the archive, in the archive's folder.

  Attributes:
    pattern: Regular expression that the whole name of a wanted member matches.
    index: Base name of the member that names all others, one a line, without their suffix.
    suffix: What the names of the others end in.
    count: Number of the others.
  """

  pattern: str
  index: str
  suffix: str
  count: int


@dataclasses.dataclass(frozen=True)
class File:
  """A file of a data set.

  Attributes:
    path: Where it belongs, relative to the data folder.
    checksum: "sha256:..." or "md5:...", or None if it is not known.
    size: Number of bytes, or None if it is not known.
    urls: Where it can be had, best first.
    max_bytes: What is refused as too much if size is None.
    equivalents: Files that are read just as well, such as the decompressed one.
    members: What to unpack, if it is an archive.
  """

  path: str
  checksum: str | None = None
  size: int | None = None
  urls: tuple[str, ...] = ()
  max_bytes: int | None = None
  equivalents: tuple["File", ...] = ()
  members: Members | None = None


def _dsprites() -> File:
  stem = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64"
  return File(
    f"dsprites/{stem}.npz",
    "md5:7da33b31b13a06f4b04a70402ce90c2e",
    urls=(
      f"https://github.com/deepmind/dsprites-dataset/raw/master/{stem}.npz",
      f"https://raw.githubusercontent.com/google-deepmind/dsprites-dataset/master/{stem}.npz",
    ),
    max_bytes=100_000_000,
    equivalents=(
      File(
        f"dsprites/{stem}.hdf5",
        "sha256:729fa22e884c9c500e1f17415d580746b4c5894fbbb780a1319bbcfa39a745bb",
        28_024_106,
      ),
    ),
  )


def _norb(name: str, size: int, sha256: str, raw_size: int, raw_sha256: str | None = None) -> File:
  name = f"smallnorb-{name}.mat"
  return File(
    f"small_norb/{name}.gz",
    f"sha256:{sha256}",
    size,
    urls=(f"https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/{name}.gz",),
    equivalents=(File(f"small_norb/{name}", raw_sha256 and f"sha256:{raw_sha256}", raw_size),),
  )


def _mpi3d(name: str, md5: str) -> File:
  return File(
    f"{name}/{name}.npz",
    f"md5:{md5}",
    urls=(f"https://storage.googleapis.com/disentanglement_dataset/Final_Dataset/{name}.npz",),
    max_bytes=13_000_000_000,  # The images take 12.74e9 bytes if they are not compressed.
  )


def _mnist(name: str, size: int, sha256: str, raw_size: int, raw_sha256: str) -> File:
  return File(
    f"mnist/{name}.gz",
    f"sha256:{sha256}",
    size,
    urls=(
      f"https://storage.googleapis.com/cvdf-datasets/mnist/{name}.gz",
      f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}.gz",
    ),
    equivalents=(File(f"mnist/{name}", f"sha256:{raw_sha256}", raw_size),),
  )


_SCREAM = File(
  "scream/scream.jpg",
  urls=("https://upload.wikimedia.org/wikipedia/commons/f/f4/The_Scream.jpg",),
  max_bytes=100_000_000,
)

CARS = Members(r"(\./)?data/cars/(\w[\w-]*\.mat|list\.txt)", "list.txt", ".mat", 183)
_CARS3D = File(
  "cars/nips2015-analogy-data.tar.gz",
  "md5:4e866a7919c1beedf53964e6f7a23686",
  urls=("http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",),
  max_bytes=2_000_000_000,
  members=CARS,
)

_SHAPES3D = File(
  "3dshapes/3dshapes.h5",
  "sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
  267_573_662,
  urls=("https://storage.googleapis.com/3d-shapes/3dshapes.h5",),
)

# The categories of both splits come in the same order.
_NORB_CATEGORIES = "591ed90c090cb6724593e8de28180bd602095ee8ec82bd1a5ca30b488cd1d06e"

_SMALLNORB = (
  _norb(
    "5x46789x9x18x6x2x96x96-training-dat",
    131_896_188,
    "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
    447_897_624,
    "4813bf104d229583fea8ed57fdc3e9258c927b8dfb43d75412e854a7a9588067",
  ),
  _norb(
    "5x46789x9x18x6x2x96x96-training-cat",
    348,
    "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
    97_220,
    _NORB_CATEGORIES,
  ),
  _norb(
    "5x46789x9x18x6x2x96x96-training-info",
    71_052,
    "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
    388_820,
  ),
  _norb(
    "5x01235x9x18x6x2x96x96-testing-dat",
    130_799_817,
    "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
    447_897_624,
    "2b1de646c57ffdc259b8fb973a6453e90915248a8fdb4d9df948786bdae72b34",
  ),
  _norb(
    "5x01235x9x18x6x2x96x96-testing-cat",
    347,
    "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
    97_220,
    _NORB_CATEGORIES,
  ),
  _norb(
    "5x01235x9x18x6x2x96x96-testing-info",
    10_428,
    "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
    388_820,
    "318f817236b7c97af03cd90e07a9cbb4346e20ef83a1118a61eeb50e3b96db7e",
  ),
)

_MNIST = (
  _mnist(
    "train-images-idx3-ubyte",
    9_912_422,
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    47_040_016,
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  ),
  _mnist(
    "train-labels-idx1-ubyte",
    28_881,
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    60_008,
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  ),
  _mnist(
    "t10k-images-idx3-ubyte",
    1_648_877,
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    7_840_016,
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  ),
  _mnist(
    "t10k-labels-idx1-ubyte",
    4_542,
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    10_008,
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  ),
)

DATA_SETS: dict[str, tuple[File, ...]] = {
  "dsprites_full": (_dsprites(),),
  "smallnorb": _SMALLNORB,
  "cars3d": (_CARS3D,),
  "shapes3d": (_SHAPES3D,),
  "mpi3d_toy": (_mpi3d("mpi3d_toy", "55889cb7c7dfc655d6e0277beee88868"),),
  "mpi3d_realistic": (_mpi3d("mpi3d_realistic", "59a6225b88b635365f70c91b3e52f70f"),),
  "mpi3d_real": (_mpi3d("mpi3d_real", "0f33f609918fb5c97996692f91129802"),),
  "scream_dsprites": (_SCREAM, _dsprites()),
  "mnist": _MNIST,
}
ALL = "all"

_FILES = [file for data_set in DATA_SETS.values() for file in data_set]

# Path relative to the data folder -> checksum, of every file whose checksum is known.
CHECKSUMS: dict[str, str] = {
  file.path: file.checksum
  for file in [*_FILES, *(other for file in _FILES for other in file.equivalents)]
  if file.checksum is not None
}


def select(names: Sequence[str]) -> dict[str, tuple[File, ...]]:
  """Returns the files of the named data sets, or of every one for the name "all".

  Raises:
    ConfigError: If there is no data set of a name, or no name.
  """
  known = [*DATA_SETS, ALL]
  for name in names or [""]:
    if name not in known:
      close = checks.closest(name, known, cutoff=0.5)
      hint = f" Did you mean {close!r}?" if close else ""
      raise errors.ConfigError(f"datasets must name {', '.join(known)}; got {name!r}.{hint}")
  return DATA_SETS if ALL in names else {name: DATA_SETS[name] for name in names}
