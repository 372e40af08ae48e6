"""The file format of archives of records: a .tar.xz whose first entry lists all others.

    manifest.json       format, study, configuration, versions, and of each run its settings and the
                        SHA-256 of each record
    {run}/{record}      the records, in the order of their names

The same records give the same bytes: entries have no dates, owners or modes of their own. Whoever
reads an archive uses no path that the manifest does not list, and the manifest lists only what
`run_folder.is_archived` allows.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import hashlib
import io
import json
import lzma
import os
import pathlib
import tarfile
from typing import IO
from typing import cast

from dl_condind.data import archives
from dl_condind.utils import errors
from dl_condind.utils import files
from dl_condind.utils import json_objects
from dl_condind.utils import run_folder

FORMAT = 1

_PRESET = 6  # of xz. Its 8 MB of memory span several runs, whose records are much alike.
_BLOCK = 1 << 14  # bytes, read at once; nor is a longer header read, which has a few hundred
_MAX_MANIFEST_BYTES = 1 << 28
_MAX_TOTAL_BYTES = 1 << 36
_READ_ERRORS = (
  EOFError,
  OverflowError,
  RecursionError,
  ValueError,
  lzma.LZMAError,
  tarfile.TarError,
)


@dataclasses.dataclass(frozen=True)
class ArchivedRun:
  """A run in an archive.

  Attributes:
    settings: What it was made with, as `run_state.comparable`; None for a run that diverged.
    records: Name of each record, relative to the run -> its SHA-256.
  """

  settings: Mapping[str, object] | None
  records: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Manifest:
  """What an archive holds.

  Attributes:
    study: Name of the study.
    versions: Versions of dl_condind that made the runs, sorted.
    runs: Name of each run, which is its folder in that of the study -> the run.
  """

  study: str
  versions: tuple[str, ...]
  runs: Mapping[str, ArchivedRun]

  @property
  def configuration_sha256(self) -> str:
    """One number for the settings of all runs."""
    settings = {name: run.settings for name, run in self.runs.items()}
    return hashlib.sha256(_json(settings)).hexdigest()

  def records(self) -> dict[str, str]:
    """Returns the name of each record, relative to the folder of the study -> its SHA-256."""
    return {
      f"{name}/{record}": digest
      for name, run in sorted(self.runs.items())
      for record, digest in sorted(run.records.items())
    }


def write(output_path: str | os.PathLike, study_dir: pathlib.Path, manifest: Manifest) -> None:
  """Writes an archive, which is there as a whole or not at all.

  Args:
    output_path: Name of the archive; replaced if it is there.
    study_dir: Folder of the study, with the records that the manifest lists.
    manifest: What to write.

  Raises:
    TryAgainError: If a record has changed since it was listed, or the disk is full.
    ConfigError: If output_path cannot be written.
  """
  with (
    files.atomic_file(output_path) as temporary,
    lzma.open(temporary, "wb", preset=_PRESET) as file,
    tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive,
  ):
    _add(archive, files.MANIFEST, _manifest_text(manifest))
    for name, digest in manifest.records().items():
      path = study_dir / name
      content = path.read_bytes() if path.is_file() else b""
      if hashlib.sha256(content).hexdigest() != digest:
        raise errors.TryAgainError(
          f"{path} has changed while it was packed: run the same command again."
        )
      _add(archive, name, content)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
  entry = tarfile.TarInfo(name)  # Of mode 0644, owned by root, written in 1970.
  entry.size = len(content)
  archive.addfile(entry, io.BytesIO(content))


def _manifest_text(manifest: Manifest) -> bytes:
  runs = {name: dataclasses.asdict(run) for name, run in manifest.runs.items()}
  return _json(
    {
      "format": FORMAT,
      "study": manifest.study,
      "configuration_sha256": manifest.configuration_sha256,
      "dl_condind": list(manifest.versions),
      "runs": runs,
    }
  )


def _json(value: object) -> bytes:
  return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def read_manifest(path: str | os.PathLike) -> Manifest:
  """Returns what an archive holds.

  Raises:
    DatasetError: If it is missing, damaged, something else, or of a format that is not known.
  """
  with _opened(path) as (_, _, manifest):
    return manifest


def extract(path: str | os.PathLike, folder: pathlib.Path) -> Manifest:
  """Writes all records to `{folder}/{run}/{record}`, each checked against the manifest.

  Args:
    path: The archive.
    folder: Where to write them. After an error some may be there.

  Returns:
    What the archive holds.

  Raises:
    DatasetError: As `read_manifest`, or if a record is missing, changed or extra.
  """
  with _opened(path) as (guard, archive, manifest):
    missing = manifest.records()
    while (entry := archive.next()) is not None:
      if entry.name not in missing:
        raise ValueError(f"{entry.name!r} is not in its manifest, or there twice")
      target = folder / entry.name
      target.parent.mkdir(parents=True, exist_ok=True)
      if _copy(archive, entry, target) != missing.pop(entry.name):
        raise ValueError(f"{entry.name} has changed since it was packed")
    if missing:
      raise ValueError(f"{next(iter(missing))} is missing")
    while guard.read(_BLOCK):  # The checksum of the whole is compared at the end only.
      pass
  return manifest


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[tuple[archives.Guard, tarfile.TarFile, Manifest]]:
  """Yields an archive that was read up to the end of its manifest, and the manifest."""
  if not os.path.isfile(path):
    raise errors.DatasetError(f"No {path}: name an archive that dl_condind_archive wrote.")
  if not os.access(path, os.R_OK):
    raise errors.DatasetError(f"{path} may not be read: change its mode, or fetch it again.")
  try:
    with lzma.open(path) as plain:
      guard = archives.Guard(cast(lzma.LZMAFile, plain), _MAX_TOTAL_BYTES)
      with tarfile.open(fileobj=cast(IO[bytes], guard), mode="r:") as archive:
        entry = archive.next()
        if entry is None or entry.name != files.MANIFEST or entry.size > _MAX_MANIFEST_BYTES:
          raise ValueError(f"it does not begin with {files.MANIFEST}")
        text = io.BytesIO()
        _copy_to(archive, entry, text)
        yield guard, archive, _parse(json_objects.parse(text.getvalue()), path)
  except errors.ConfigError:  # A ValueError, but about the folder that is written to.
    raise
  except _READ_ERRORS as error:
    reason = " ".join(str(error).split()) or type(error).__name__
    raise errors.DatasetError(
      f"{path} is damaged or not an archive of records ({reason}): fetch or pack it again."
    ) from error


def _parse(found: Mapping[str, object], path: str | os.PathLike) -> Manifest:
  """Returns the manifest that a JSON object is; raises ValueError if it is not one."""
  if not isinstance(found.get("format"), int):
    raise ValueError(f"its {files.MANIFEST} has no format")
  if found["format"] != FORMAT:
    raise errors.DatasetError(
      f"{path} is of format {found['format']}, and this version of dl_condind reads format "
      f"{FORMAT}: use the version that wrote it, or a newer one."
    )
  runs, versions = found.get("runs"), found.get("dl_condind")
  if not isinstance(runs, dict) or not runs or not isinstance(versions, list):
    raise ValueError(f"its {files.MANIFEST} lists no runs")
  read = {name: _parse_run(name, run) for name, run in runs.items()}
  manifest = Manifest(str(found.get("study")), tuple(map(str, versions)), read)
  if manifest.configuration_sha256 != found.get("configuration_sha256"):
    raise ValueError("the settings of its runs have changed since it was packed")
  return manifest


def _parse_run(name: str, found: object) -> ArchivedRun:
  settings, records = (
    (found.get("settings"), found.get("records")) if isinstance(found, dict) else (None, None)
  )
  are_plain = all(map(run_folder.is_plain, name.split("/")))
  if not are_plain or not isinstance(records, dict) or not isinstance(settings, dict | None):
    raise ValueError(f"run {name!r} is not described as it must be")
  for record in records:
    if not run_folder.is_archived(record):
      raise ValueError(f"run {name} has {record!r}, which is not a record")
  return ArchivedRun(settings, {record: str(digest) for record, digest in records.items()})


def _copy(archive: tarfile.TarFile, entry: tarfile.TarInfo, target: pathlib.Path) -> str:
  """Writes an entry to target and returns its SHA-256."""
  with files.clear_write_errors(target), open(target, "xb") as file:
    return _copy_to(archive, entry, file)


def _copy_to(archive: tarfile.TarFile, entry: tarfile.TarInfo, file: IO[bytes]) -> str:
  """Writes an entry to an open file and returns its SHA-256."""
  source = archive.extractfile(entry) if entry.isreg() and not entry.issparse() else None
  if source is None or entry.size < 0:
    raise ValueError(f"{entry.name} is not a plain file")
  digest = hashlib.sha256()
  while block := source.read(_BLOCK):
    file.write(block)
    digest.update(block)
  return digest.hexdigest()
