"""Downloading a file from servers that may stall, cut, lie or be gone.

A file appears under its name whole and checked, or not at all. Until then what has arrived is kept
in a file whose name ends in `.part`, which is continued later.
"""

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import dataclasses
import http.client
import os
import pathlib
import re
import sys
import time

from absl import logging

from dl_condind.data import checksums
from dl_condind.data import sources
from dl_condind.data import web
from dl_condind.utils import errors
from dl_condind.utils import files

_WEB_PAGE = re.compile(
  rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body)\b", re.I | re.S
)
_LONGEST_DELAY = 60.0  # seconds
_TERMINAL_PAUSE = 0.2  # seconds between reports of progress
_LOG_PAUSE = 30.0


@dataclasses.dataclass(frozen=True)
class Patience:
  """How long to go on with one server.

  Attributes:
    attempts: Number of attempts in a row that may fail without bringing the file further.
    first_delay: Seconds to wait after the first of them, doubled after each.
    timeout: Seconds without a byte after which an attempt has failed.
  """

  attempts: int = 4
  first_delay: float = 1.0
  timeout: float = 30.0


PATIENCE = Patience()


def part_path(path: pathlib.Path) -> pathlib.Path:
  """Returns where a file is kept until it is complete."""
  return path.with_name(f"{path.name}.part")


def fetch(source: sources.File, path: pathlib.Path, patience: Patience) -> str:
  """Downloads a file. The caller makes sure that no other process does the same.

  If its checksum is not known, it is noted beside the file.

  Args:
    source: The file. Its URLs are tried in turn.
    path: Where to write it.
    patience: How long to go on with each server.

  Returns:
    Its checksum, such as "sha256:...".

  Raises:
    DatasetError: If no server gives the right file.
    TryAgainError: If the disk is full.
    ConfigError: If path cannot be written.
  """
  reasons = []
  for number, url in enumerate(source.urls, start=1):
    try:
      _fetch_from(url, source, part_path(path), patience)
    except web.RefusedError as error:
      reasons.append(f"{url} ({error})")
      if number < len(source.urls):
        logging.warning("%s: %s; trying another server.", url, error)
      continue
    return _commit(source, path)
  raise errors.DatasetError(
    f"{path} could not be downloaded: put it there yourself and run the same command again. "
    f"URL: {', '.join(reasons)}. Checksum: {source.checksum or 'not known'}."
  )


def _fetch_from(url: str, source: sources.File, part: pathlib.Path, patience: Patience) -> None:
  """Completes the file part from one server.

  Raises:
    web.RefusedError: If the server does not give the right file.
  """
  failures = 0
  furthest = _size(part)
  while True:
    try:
      _attempt(url, source, part, patience.timeout)
      return
    except web.TransientError as error:
      if _size(part) > furthest:
        furthest, failures = _size(part), 0
      failures += 1
      if failures >= patience.attempts:
        raise web.RefusedError(str(error)) from error
      delay = min(patience.first_delay * 2 ** (failures - 1), _LONGEST_DELAY)
      logging.warning("%s: %s; trying again in %.0f s.", url, error, delay)
      time.sleep(delay)


def _attempt(url: str, source: sources.File, part: pathlib.Path, timeout: float) -> None:
  """Connects once, takes what comes and checks the file if that completes it."""
  # Without a checksum nothing would tell that the file has changed since its first part came.
  start = _size(part) if source.checksum else 0
  if source.size is not None and start > source.size:
    start = 0
  if start == 0 or start != source.size:
    try:
      with web.connect(url, start, timeout) as response:
        if response is not None:
          start = _receive(response, source, part, start)
    except web.CannotContinueError as error:
      _remove(part)
      raise web.TransientError("it cannot continue what was downloaded before") from error
  _check(source, part, continued=start > 0)


def _receive(
  response: http.client.HTTPResponse, source: sources.File, part: pathlib.Path, start: int
) -> int:
  """Writes what a server sends to the file part.

  Returns:
    Number of bytes of the file that were there before and were continued.
  """
  if response.headers.get_content_type() == "text/html":
    raise web.RefusedError("it sends a web page instead of the file")
  start, total = web.position(response, start)
  limit = (source.max_bytes if source.size is None else source.size) or 0
  if total is not None and (total > limit or source.size not in (None, total)):
    instead = "more than" if source.size is None else "instead of"
    raise web.RefusedError(f"it sends {total} bytes, {instead} {limit}")
  received = start
  with (
    files.clear_write_errors(part),
    open(part, "ab" if start else "wb") as file,
    _progress(source.path, total or source.size) as show,
  ):
    for block in web.blocks(response):
      received += len(block)
      if received > limit:
        break
      file.write(block)
      show(received)
  if received > limit:
    _remove(part)
    raise web.RefusedError(f"it sends more than {limit} bytes")
  expected = source.size if total is None else total
  if expected is not None and received < expected:
    raise web.TransientError(f"it stopped after {received} of {expected} bytes")
  return start


def _check(source: sources.File, part: pathlib.Path, continued: bool) -> None:
  """Removes the completed file part if it is not what it should be."""
  with open(part, "rb") as file:
    is_web_page = _WEB_PAGE.match(file.read(512))
  finding = checksums.check(part, source.size, source.checksum)
  if is_web_page or finding.state == checksums.DAMAGED:
    _remove(part)
    what = "web page instead of the file" if is_web_page else f"wrong file, which {finding.detail}"
    # What was continued may have been begun badly, by another server or before a power cut.
    kind = web.TransientError if continued else web.RefusedError
    raise kind(f"it sends a {what}")


def _commit(source: sources.File, path: pathlib.Path) -> str:
  """Gives the completed file its name and returns its checksum."""
  part = part_path(path)
  with files.clear_write_errors(path):
    checksum = source.checksum
    if checksum is None:
      sha256 = files.sha256(part)
      checksums.write_note(checksums.note_path(path), {path.name: sha256})
      checksum = f"sha256:{sha256}"
    files.fsync(part)
    os.replace(part, path)
    files.fsync(path.parent)
  return checksum


@contextlib.contextmanager
def _progress(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
  """Yields a function that tells how many bytes there are: often on a terminal, else rarely."""
  on_terminal = sys.stderr.isatty()
  pause = _TERMINAL_PAUSE if on_terminal else _LOG_PAUSE
  of_total = "" if total is None else f" of {total / 1e6:.1f}"
  next_time = time.monotonic() + pause

  def show(received: int) -> None:
    nonlocal next_time
    if time.monotonic() < next_time:
      return
    next_time = time.monotonic() + pause
    line = f"{name}: {received / 1e6:.1f}{of_total} MB"
    if on_terminal:
      print(f"\r{line}", end="", file=sys.stderr, flush=True)
    else:
      logging.info("%s", line)

  try:
    yield show
  finally:
    if on_terminal:
      print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # Leaves the line to what follows.


def _size(path: pathlib.Path) -> int:
  return path.stat().st_size if path.exists() else 0


def _remove(path: pathlib.Path) -> None:
  with files.clear_write_errors(path):
    path.unlink(missing_ok=True)
