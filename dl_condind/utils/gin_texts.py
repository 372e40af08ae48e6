"""gin files: where they lie, and the statements of those that a configuration is read from.

What the statements name is not looked up here, so that a missing file or a line that cannot be
parsed is found before the modules are imported that register the names.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import glob
import hashlib
import itertools
import os
import pathlib
from typing import Any

from gin import config_parser

from dl_condind.utils import errors
from dl_condind.utils import gin_parser
from dl_condind.utils import gin_types
from dl_condind.utils import package_folders

_TOKENS_PER_FILE = 100  # Opening a file takes as long as so many tokens.
_MAX_SUGGESTED = 1000  # files of a folder that are looked at to suggest one


@dataclasses.dataclass(frozen=True, eq=False)  # A file may be read twice.
class Source:
  """One reading of a file, or one binding given by hand.

  Attributes:
    path: The file; None for a binding.
    text: The text of both.
  """

  path: pathlib.Path | None
  text: str

  def where(self, line: int) -> str:
    """Returns what an error message calls a line."""
    return f"{self.path}:{line}" if self.path else f"gin_bindings={self.text[:80]!r}"


def gin_config_folder() -> pathlib.Path:
  """Returns the folder of the configuration files that come with the package."""
  return package_folders.find("gin_configs")


def statements(
  gin_files: Sequence[str | os.PathLike], gin_bindings: Sequence[str]
) -> Iterator[tuple[Any, Source]]:
  """Yields the statements of files and then of bindings, those of included files in their place.

  Args:
    gin_files: Names of gin files: looked for as named, then beside the file that includes them,
      then in `gin_config_folder()`.
    gin_bindings: gin statements.

  Yields:
    Each statement of `gin.config_parser` but `include`, and where it is from: one object for all
    statements of one reading of a file.

  Raises:
    ConfigError: If a file is missing, cannot be read or includes itself, a statement cannot be
      parsed, or all texts together are too large.
  """
  allowance = gin_parser.Allowance()
  for name in gin_files:
    yield from _in_file(os.fspath(name), allowance)
  for binding in gin_bindings:
    source = Source(None, binding)
    allowance.take_bytes(len(binding), source.where(1))
    yield from _in_text(source, allowance)


def own_digest(name: str) -> str | None:
  """Returns a digest of what a gin file says, with the files it includes.

  Comments and the layout of the text make no difference.

  Args:
    name: As in `statements`.

  Returns:
    The SHA-256 of the statements; None of a file that came with the package.

  Raises:
    ConfigError: As `statements`.
  """
  if _find(name, (), "").resolve().is_relative_to(gin_config_folder().resolve()):
    return None
  found = [statement._replace(location=None) for statement, _ in statements([name], ())]
  return hashlib.sha256("\n".join(map(repr, found)).encode()).hexdigest()


def _in_file(
  name: str,
  allowance: gin_parser.Allowance,
  including: Sequence[pathlib.Path] = (),
  where: str = "",
) -> Iterator[tuple[Any, Source]]:
  """Yields the statements of a file, which was named by hand or, at `where`, in a file."""
  path = _find(name, including, where)
  allowance.take_tokens(_TOKENS_PER_FILE, lambda: str(path))
  if path.resolve() in [file.resolve() for file in including]:
    raise errors.ConfigError(f"{where}: {path} includes itself, directly or through others.")
  if len(including) > gin_types.MAX_NESTING:
    raise errors.ConfigError(
      f"{where}: files include files more than {gin_types.MAX_NESTING} deep."
    )
  source = Source(path, read(path, allowance))
  yield from _in_text(source, allowance, [*including, path])


def _in_text(
  source: Source, allowance: gin_parser.Allowance, including: Sequence[pathlib.Path] = ()
) -> Iterator[tuple[Any, Source]]:
  for statement in gin_parser.statements(source.text, source.where, allowance):
    if isinstance(statement, config_parser.IncludeStatement):
      where = source.where(statement.location.line_num)
      yield from _in_file(statement.filename, allowance, including, where)
    else:
      yield statement, source


def _find(name: str, including: Sequence[pathlib.Path], where: str) -> pathlib.Path:
  folders = [pathlib.Path(), *(file.parent for file in including[-1:]), gin_config_folder()]
  folders = list(dict.fromkeys(folders))
  for folder in folders:
    if os.path.isfile(folder / name):
      return folder / name
  searched = ", ".join(str(folder) for folder in folders)
  prefix = f"{where}: " if where else ""
  hint = similar_file(name, folders)
  places = f" Looked in: {searched}." if hint else f"; looked in: {searched}."
  raise errors.ConfigError(f"{prefix}no gin file {name!r}{hint}{places}")


def matching_files(pattern: str) -> dict[str, list[str]]:
  """Returns the gin files that match, each in a list of its own under its name without `.gin`.

  Args:
    pattern: Pattern of gin files, in the working directory or else in `gin_config_folder()`.

  Raises:
    ConfigError: If no file matches, or several have one name.
  """
  folders = [pathlib.Path(), gin_config_folder()]
  for folder in folders:
    paths = sorted(glob.glob(str(folder / pattern), recursive=True))
    found = {pathlib.Path(path).stem: [path] for path in paths}
    if len(found) < len(paths):
      raise errors.ConfigError(
        f"Of the gin files that match {pattern!r}, several have one name, which would be the name "
        f"of one folder: {', '.join(paths)}."
      )
    if found:
      return found
  hint = similar_file(pattern, folders) or "."
  raise errors.ConfigError(f"No gin file matches {pattern!r}, here or in {folders[1]}{hint}")


def similar_file(name: str, folders: Sequence[pathlib.Path]) -> str:
  """Returns the part of an error message that suggests a gin file instead of a missing one.

  Args:
    name: Name of a gin file, or a pattern of names, that is not there.
    folders: Where it was looked for.

  Returns:
    Such as `; did you mean 'methods/vae.gin'?`; empty if no file has a similar name.
  """
  shipped = gin_config_folder()
  candidates = {path.relative_to(shipped) for path in shipped.rglob("*.gin")}
  parent = pathlib.Path(name).parent
  for folder in folders:
    found = itertools.islice((folder / parent).glob("*.gin"), _MAX_SUGGESTED)
    candidates |= {parent / path.name for path in found}
  # Without the ending, which makes any two names similar.
  paths = {path.with_suffix("").as_posix(): path.as_posix() for path in sorted(candidates)}
  wanted = name.removesuffix(".gin")
  namesakes = [path for stem, path in paths.items() if f"/{stem}".endswith(f"/{wanted}")]
  if namesakes:
    return f"; did you mean {namesakes[0]!r}?"
  return gin_types.did_you_mean(wanted, paths).replace("'?", ".gin'?")


def read(path: str | os.PathLike, allowance: gin_parser.Allowance | None = None) -> str:
  """Returns the text of a gin file.

  Args:
    path: The file.
    allowance: What the configuration may have, None for a file of any size.

  Raises:
    ConfigError: If it cannot be read, is not UTF-8, or is too large.
  """
  try:
    with open(path, "rb") as file:
      content = file.read(gin_parser.MAX_BYTES + 1 if allowance else -1)
    if allowance:
      allowance.take_bytes(len(content), str(path))
    return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
  except OSError as error:
    raise errors.ConfigError(f"Cannot read {path}: {error.strerror}.") from error
  except UnicodeDecodeError as error:
    raise errors.ConfigError(
      f"{path} is not a gin file: byte {error.start} is not UTF-8."
    ) from error
