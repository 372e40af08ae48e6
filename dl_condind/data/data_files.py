"""The files of data sets: what is there, and getting what is not."""

from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
import pathlib

from absl import logging

from dl_condind.data import archives
from dl_condind.data import checksums
from dl_condind.data import download
from dl_condind.data import sources
from dl_condind.utils import errors
from dl_condind.utils import files

_PRESENT = (checksums.OK, checksums.UNCHECKED)


def check(source: sources.File, folder: pathlib.Path) -> list[checksums.Finding]:
  """Compares a file, or what was unpacked from it, with what is known of it.

  Args:
    source: The file.
    folder: The data folder.

  Returns:
    A finding for each of its forms that is there, or one for the missing file.

  Raises:
    DatasetError: If a file cannot be read.
  """
  path = folder / source.path
  if source.members:
    return archives.check(path.parent, source.members)
  forms = (source, *source.equivalents)
  findings = [checksums.check(folder / form.path, form.size, form.checksum) for form in forms]
  there = [finding for finding in findings if finding.state != checksums.MISSING]
  return there or findings[:1]


def verify(names: Sequence[str], folder: pathlib.Path) -> None:
  """Prints one line for each file of data sets, without a look at the network.

  Args:
    names: Names of data sets, or "all".
    folder: The data folder.

  Raises:
    ConfigError: If there is no data set of a name.
    DatasetError: If a file is missing or damaged, or cannot be read.
  """
  states: Counter[str] = Counter()
  for source in _unique(sources.select(names)):
    for finding in check(source, folder):
      states[finding.state] += 1
      print(_line(finding), flush=True)
  if states[checksums.MISSING] or states[checksums.DAMAGED]:
    raise errors.DatasetError(
      f"{folder}: {states[checksums.MISSING]} missing and {states[checksums.DAMAGED]} damaged; "
      f"dl_condind_download_data --datasets={','.join(names)} fetches them."
    )


def obtain(
  names: Sequence[str],
  folder: pathlib.Path,
  patience: download.Patience = download.PATIENCE,
) -> None:
  """Downloads what is missing or damaged of data sets, and prints one line for each file.

  A data set that cannot be had does not keep the others from being downloaded.

  Args:
    names: Names of data sets, or "all".
    folder: The data folder.
    patience: How long to go on with each server.

  Raises:
    ConfigError: If there is no data set of a name, or the folder cannot be written.
    DatasetError: If a file cannot be had.
    TryAgainError: If the disk is full or another process downloads the same.
  """
  failed = {}
  done = set()
  selected = sources.select(names)
  for name, sources_of_name in selected.items():
    try:
      for source in sources_of_name:
        if source not in done:
          _obtain_file(source, folder, patience)
          done.add(source)
    except errors.DatasetError as error:
      failed[name] = error
      if len(selected) > 1:
        logging.error("%s: %s", name, error)
  if len(failed) == 1:
    raise next(iter(failed.values()))
  if failed:
    raise errors.DatasetError(f"These data sets could not be had: {', '.join(failed)}.")


def _unique(data_sets: dict[str, tuple[sources.File, ...]]) -> Iterator[sources.File]:
  return iter(dict.fromkeys(source for group in data_sets.values() for source in group))


def _line(finding: checksums.Finding) -> str:
  return f"{finding.state:<9} {finding.path} {finding.detail}".rstrip()


def _obtain_file(source: sources.File, folder: pathlib.Path, patience: download.Patience) -> None:
  """Makes sure that a file, or what is unpacked from it, is in the data folder."""
  path = folder / source.path
  findings = check(source, folder)
  if all(finding.state in _PRESENT for finding in findings):
    for finding in findings:
      print(_line(finding), flush=True)
    return
  for finding in findings:
    if finding.state == checksums.DAMAGED and finding.path != path and not source.members:
      # It would go on being read instead of what is downloaded.
      raise errors.DatasetError(
        f"{finding.path} {finding.detail}: move it away and run the same command again."
      )
  with files.locked(path.parent):
    if checksums.check(path, source.size, source.checksum).state != checksums.OK:
      logging.info("Downloading %s.", path)
      checksum = download.fetch(source, path, patience)
      print(f"fetched   {path} {checksum.replace(':', ' ')}", flush=True)
    if source.members:
      archives.install(path, source.members)
      print(f"unpacked  {path.parent} {source.members.count + 1} files", flush=True)
