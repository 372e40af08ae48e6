import contextlib
import errno
import gzip
import hashlib
import io
import os
import random
import tarfile

import pytest

from dl_condind.data import archives
from dl_condind.data import checksums
from dl_condind.data import sources
from dl_condind.utils import errors
from dl_condind.utils import files

PATTERN = sources.DATA_SETS["cars3d"][0].members.pattern
THREE = sources.Members(PATTERN, "list.txt", ".mat", 3)
LIST = "data/cars/list.txt"
NAMES = ("car_001_mesh", "car_004_mesh", "car_199_mesh")
CARS = {f"data/cars/{name}.mat": name.encode() * 1000 for name in NAMES}
OFFICIAL = {
  "data/sprites/sprite_1.mat": b"not wanted",
  "data/shapes48.mat": b"neither",
  LIST: "\n".join(NAMES).encode() + b"\n",
  **CARS,
}
FEW = archives.Limits(entries=20, members=10, member_bytes=100_000, total_bytes=1_000_000)


def entry(name, **attributes):
  info = tarfile.TarInfo(name)
  for key, value in attributes.items():
    setattr(info, key, value)
  return info


def write(path, *entries, tar_format=tarfile.PAX_FORMAT):
  """Writes an archive of entries: (TarInfo or name, content)."""
  with tarfile.open(path, "w:gz", format=tar_format) as archive:
    for info, content in entries:
      info = entry(info) if isinstance(info, str) else info
      info.size = len(content)
      archive.addfile(info, io.BytesIO(content))


def write_raw(path, *blocks):
  """Writes blocks of 512 bytes and the two empty ones that end an archive."""
  padded = [block + bytes(-len(block) % 512) for block in (*blocks, bytes(1024))]
  path.write_bytes(gzip.compress(b"".join(padded)))


def header(name, size, kind=tarfile.REGTYPE, tar_format=tarfile.GNU_FORMAT):
  return entry(name, size=size, type=kind).tobuf(tar_format)


def signed(block):
  """Returns a block with the checksum of a header."""
  block = bytearray(block)
  block[148:156] = b" " * 8
  block[148:156] = b"%06o\0 " % sum(block)
  return bytes(block)


def negative_header(name, size, kind=tarfile.REGTYPE):
  """A header with a size below zero, which only the binary form of GNU can express."""
  block = bytearray(header(name, 0, kind))
  block[124:136] = b"\xff" * 4 + size.to_bytes(8, "big", signed=True)
  return signed(block)


def tree(folder):
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in sorted(folder.rglob("*"))
    if not path.is_dir()
  }


@pytest.fixture
def archive(tmp_path):
  """Path of an archive to write, in a folder of its own."""
  folder = tmp_path / "data" / "cars"
  folder.mkdir(parents=True)
  return folder / "archive.tar.gz"


def assert_refused(archive, reason, limits=FEW):
  """Asserts that an archive is refused in one line and nothing but itself is in any folder."""
  before = tree(archive.parents[2])
  with pytest.raises(errors.DatasetError) as caught:
    archives.install(archive, THREE, limits)
  message = str(caught.value)
  assert "\n" not in message
  assert str(archive) in message
  assert reason in message
  assert tree(archive.parents[2]) == before


# Archives as they should be.


@pytest.mark.parametrize(
  "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
@pytest.mark.parametrize("prefix", ["", "./"])
def test_wanted_members_replace_the_archive(archive, tar_format, prefix):
  members = [(prefix + name, content) for name, content in OFFICIAL.items()]
  folders = [(entry(f"{prefix}data/cars", type=tarfile.DIRTYPE), b"")]
  write(archive, *folders, *members, tar_format=tar_format)
  archives.install(archive, THREE, FEW)
  expected = {name.removeprefix("data/cars/"): OFFICIAL[name] for name in (*CARS, LIST)}
  found = tree(archive.parent)
  note = found.pop("cars.sha256").decode()
  assert found == expected
  assert note.splitlines() == [
    f"{hashlib.sha256(expected[name]).hexdigest()}  {name}" for name in sorted(expected)
  ]


def test_modes_and_owners_of_the_archive_are_not_used(archive):
  members = [(entry(name, mode=0o4777, uid=1, gid=1), OFFICIAL[name]) for name in OFFICIAL]
  write(archive, *members)
  archives.install(archive, THREE, FEW)
  for name in NAMES:
    stat = (archive.parent / f"{name}.mat").stat()
    assert (stat.st_mode & 0o7777, stat.st_uid) == (0o644, os.getuid())


def test_files_that_are_there_are_replaced_and_others_kept(archive):
  (archive.parent / f"{NAMES[0]}.mat").write_bytes(b"damaged")
  (archive.parent / "images-0123.npy").write_bytes(b"cache")
  (archive.parent / archives._STAGING).mkdir()  # Of a process that was killed.
  (archive.parent / archives._STAGING / "car_500_mesh.mat").write_bytes(b"half")
  write(archive, *OFFICIAL.items())
  archives.install(archive, THREE, FEW)
  found = tree(archive.parent)
  assert found[f"{NAMES[0]}.mat"] == CARS[f"data/cars/{NAMES[0]}.mat"]
  assert len(found) == 6
  assert found["images-0123.npy"] == b"cache"


def test_files_of_another_set_are_not_mixed_in(archive):
  (archive.parent / "car_300_mesh.mat").write_bytes(b"drawn")
  write(archive, *OFFICIAL.items())
  with pytest.raises(errors.DatasetError, match="car_300_mesh.mat does not belong to archive.tar"):
    archives.install(archive, THREE, FEW)
  assert sorted(tree(archive.parent)) == ["archive.tar.gz", "car_300_mesh.mat"]


# Hostile names and kinds of entries. The archive is complete, so that only these can be wrong.


@pytest.mark.parametrize(
  "name",
  [
    "../../evil.mat",
    "data/cars/../../../evil.mat",
    "data/cars/..",
    "/data/cars/evil.mat",
    "/tmp/evil.mat",
    "other/data/cars/evil.mat",
    "data/cars/sub/evil.mat",
    "data/cars/.hidden.mat",
    "data/cars/evil.mat/",
    "data/cars/evil.mat\n",
    "data/cars/e\nvil.mat",
    "data/cars/évil.mat",
    "data/cars/cars.sha256",
    "data/cars/evil.pkl",
    "data\\cars\\evil.mat",
  ],
)
def test_other_names_are_ignored(archive, name):
  write(archive, *OFFICIAL.items(), (name, b"evil"))
  archives.install(archive, THREE, FEW)
  assert len(tree(archive.parents[2])) == 5
  assert b"evil" not in b"".join(tree(archive.parents[2]).values())


@pytest.mark.parametrize(
  "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
@pytest.mark.parametrize("linkname", ["/etc/hostname", "../../../evil", "list.txt"])
def test_links_and_devices(archive, kind, linkname):
  ignored = entry("data/cars/readme", type=kind, linkname=linkname, devmajor=1, devminor=3)
  write(archive, *OFFICIAL.items(), (ignored, b""))
  archives.install(archive, THREE, FEW)
  assert len(tree(archive.parent)) == 5
  wanted = entry("data/cars/car_001_mesh.mat", type=kind, linkname=linkname, devmajor=1)
  write(archive, (wanted, b""), *list(OFFICIAL.items())[:-3])
  with pytest.raises(errors.DatasetError, match="car_001_mesh.mat is not a plain file"):
    archives.install(archive, THREE, FEW)
  assert not (archive.parent / archives._STAGING).exists()


def test_link_that_a_later_member_would_be_written_through(archive):
  link = entry("data/cars/car_001_mesh.mat", type=tarfile.SYMTYPE, linkname="../../evil")
  write(archive, (link, b""), *OFFICIAL.items())
  assert_refused(archive, "is not a plain file")


def test_sparse_member(archive):
  sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**40)}
  info = entry("data/cars/car_001_mesh.mat", pax_headers=sparse)
  write(archive, (info, b"0\n".ljust(512, b"\0")), *list(OFFICIAL.items())[:3])
  assert_refused(archive, "is not a plain file")


@pytest.mark.parametrize("twice", [LIST, "./" + LIST, "data/cars/car_001_mesh.mat"])
def test_member_that_is_there_twice(archive, twice):
  write(archive, *OFFICIAL.items(), (twice, b"evil"))
  assert_refused(archive, "twice")


# Bombs. Each is small and would take far more than this machine has.


def test_many_entries(archive):
  write(archive, *((f"empty_{number}", b"") for number in range(21)))
  assert_refused(archive, "it holds more than 20 entries")


def test_many_members(archive):
  write(archive, *((f"data/cars/car_{number}.mat", b"") for number in range(11)))
  assert_refused(archive, "it holds more than 10 files that are wanted")


def test_large_member(archive):
  write(archive, ("data/cars/car_001_mesh.mat", bytes(100_001)))
  assert_refused(archive, "car_001_mesh.mat has 100001 bytes, more than 100000")


@pytest.mark.parametrize("size", [2**33, 2**62])
def test_huge_declared_size(archive, size):
  write_raw(archive, header("data/cars/car_001_mesh.mat", size), b"few")
  assert_refused(archive, f"has {size} bytes, more than 100000")
  write_raw(archive, header("data/other", size), b"few")
  assert_refused(archive, "it unpacks to more than 1000000 bytes")


def test_large_member_that_is_not_wanted(archive):
  write(archive, ("data/other", bytes(2_000_000)), *OFFICIAL.items())
  assert archive.stat().st_size < 10_000
  assert_refused(archive, "it unpacks to more than 1000000 bytes")


def test_endless_rest(archive):
  write(archive, *OFFICIAL.items())
  with open(archive, "ab") as file:
    file.write(gzip.compress(bytes(2_000_000)))
  assert_refused(archive, "it unpacks to more than 1000000 bytes")


@pytest.mark.parametrize(
  "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK]
)
def test_huge_headers(archive, kind):
  write_raw(archive, header("x", 2**33, kind), b"few")
  assert_refused(archive, "it declares a header of 8589934592 bytes")
  write_raw(archive, negative_header("x", -1024, kind))
  assert_refused(archive, "it declares a")


def test_headers_that_belong_to_headers(archive):
  """tarfile calls itself for each."""
  long_name = header("x", 2, tarfile.GNUTYPE_LONGNAME)
  write_raw(archive, *[long_name, b"y\0"] * 2000)
  assert_refused(archive, "is damaged", archives.Limits())


def test_negative_size(archive):
  """tarfile would read the same entry for ever."""
  write_raw(archive, negative_header("data/other", -1024))
  assert_refused(archive, "it declares a negative size")


# Damage.


def test_what_is_no_archive(archive):
  archive.write_bytes(b"")
  assert_refused(archive, "empty file")
  archive.write_bytes(b"<html>" * 1000)
  assert_refused(archive, "Not a gzipped file")
  archive.write_bytes(gzip.compress(b"no archive" * 1000))
  assert_refused(archive, "damaged")
  archive.write_bytes(gzip.compress(bytes(10_240)))
  assert_refused(archive, "does not hold list.txt and the 3 files that it lists")
  archive.unlink()
  with pytest.raises(errors.DatasetError, match="Cannot read .* \\(No such file or directory\\)"):
    archives.install(archive, THREE, FEW)


def test_truncated_anywhere(archive):
  write(archive, *OFFICIAL.items())
  content = archive.read_bytes()
  for length in range(0, len(content), 7):
    archive.write_bytes(content[:length])
    assert_refused(archive, "is damaged or not what it should be")


@pytest.mark.slow
def test_damaged_anywhere(archive):
  """A changed byte is refused, or changes nothing that is unpacked."""
  write(archive, *OFFICIAL.items())
  content = archive.read_bytes()
  archives.install(archive, THREE, FEW)
  whole = tree(archive.parent)
  rng = random.Random(0)
  num_free = content.index(b"\0", 10) + 1  # gzip's header, which ends in a file name
  refused = 0
  for position in range(len(content)):
    changed = bytearray(content)
    changed[position] ^= 1 << rng.randrange(8)
    archive.write_bytes(changed)
    try:
      archives.install(archive, THREE, FEW)
    except errors.DatasetError:
      refused += 1
      archive.unlink()
    assert tree(archive.parent) == whole
  assert refused >= len(content) - num_free


@pytest.mark.slow
def test_damaged_headers_set_off_no_other_error(archive):
  """gzip's checksum is right here, so that the damage reaches tarfile."""
  write(archive, *OFFICIAL.items(), tar_format=tarfile.PAX_FORMAT)
  plain = gzip.decompress(archive.read_bytes())
  rng = random.Random(0)
  for _ in range(300):
    changed = bytearray(plain)
    for _ in range(rng.randrange(1, 5)):
      start = 512 * rng.randrange(len(plain) // 512)
      changed[start + rng.randrange(512)] = rng.randrange(256)
      changed[start : start + 512] = signed(changed[start : start + 512])
    archive.write_bytes(gzip.compress(changed, compresslevel=1))
    try:
      archives.unpack(archive, PATTERN, archive.parent / "new", FEW)
    except errors.DatasetError as error:
      assert "\n" not in str(error)
    assert set(os.listdir(archive.parent)) <= {"archive.tar.gz", "new"}


@pytest.mark.parametrize("left_out", [LIST, "data/cars/car_004_mesh.mat"])
def test_incomplete(archive, left_out):
  write(archive, *((name, content) for name, content in OFFICIAL.items() if name != left_out))
  assert_refused(archive, "does not hold list.txt and the 3 files that it lists")


def test_member_that_the_list_does_not_name(archive):
  write(archive, *OFFICIAL.items(), ("data/cars/car_200_mesh.mat", b"extra"))
  assert_refused(archive, "does not hold list.txt and the 3 files that it lists")


@pytest.mark.parametrize(
  ("number", "error"),
  [(errno.ENOSPC, errors.TryAgainError), (errno.EROFS, errors.ConfigError)],
)
def test_folder_that_cannot_be_written(archive, monkeypatch, number, error):
  write(archive, *OFFICIAL.items())
  before = tree(archive.parent)

  @contextlib.contextmanager
  def atomic_file(path):
    with files.clear_write_errors(path):
      raise OSError(number, "")
    yield

  monkeypatch.setattr(archives.files, "atomic_file", atomic_file)
  with pytest.raises(error, match=r"write .*\.unpacking/list\.txt"):
    archives.install(archive, THREE, FEW)
  assert tree(archive.parent) == before


# What was unpacked.


@pytest.fixture
def unpacked(archive):
  write(archive, *OFFICIAL.items())
  archives.install(archive, THREE, FEW)
  return archive.parent


def states(folder):
  return [(found.path.name, found.state) for found in archives.check(folder, THREE)]


def test_check_finds_nothing_wrong(unpacked):
  (unpacked / "images-0123.npy").write_bytes(b"cache")
  (found,) = archives.check(unpacked, THREE)
  assert found == checksums.Finding(unpacked, checksums.OK, "4 files, sha256 as when unpacked")


def test_check_finds_what_is_wrong(unpacked):
  (unpacked / "car_001_mesh.mat").unlink()
  (unpacked / "car_004_mesh.mat").write_bytes(b"changed")
  (unpacked / "car_300_mesh.mat").write_bytes(b"extra")
  assert states(unpacked) == [
    ("car_001_mesh.mat", checksums.MISSING),
    ("car_004_mesh.mat", checksums.DAMAGED),
    ("car_300_mesh.mat", checksums.DAMAGED),
  ]
  (unpacked / "list.txt").unlink()
  assert states(unpacked) == [("list.txt", checksums.MISSING)]


def test_check_of_files_unpacked_by_hand(unpacked):
  (unpacked / "cars.sha256").unlink()
  assert states(unpacked) == [("cars", checksums.UNCHECKED)]
  (unpacked / "car_001_mesh.mat").unlink()
  assert states(unpacked) == [("car_001_mesh.mat", checksums.MISSING)]


def test_check_of_damaged_lists(unpacked):
  note = unpacked / "cars.sha256"
  lines = note.read_text().splitlines(keepends=True)
  note.write_text("".join(lines[1:]))
  (found,) = archives.check(unpacked, THREE)
  assert (found.path.name, found.detail) == ("car_001_mesh.mat", "has no checksum in cars.sha256")
  note.unlink()
  (unpacked / "list.txt").write_bytes(b"car_001_mesh\n")
  assert states(unpacked) == [
    ("car_004_mesh.mat", checksums.DAMAGED),
    ("car_199_mesh.mat", checksums.DAMAGED),
    ("list.txt", checksums.DAMAGED),
  ]


def test_an_index_that_is_far_too_long_is_refused(tmp_path):
  members = sources.Members(r".*", "list.txt", ".mat", 3)
  with open(tmp_path / "list.txt", "wb") as file:
    file.truncate(2**40)
  with pytest.raises(errors.DatasetError, match=r"list\.txt is far too long for a list of files"):
    archives.listed(tmp_path, members)
