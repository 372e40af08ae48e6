"""Describes the studies that come with the package."""

from dl_condind.studies import study_file
from dl_condind.utils import gin_texts


def describe_studies() -> str:
  """Returns a line for each study of the package: its name, number of runs and what it is."""
  lines = []
  for name in study_file.study_names():
    text = (gin_texts.gin_config_folder() / "studies" / f"{name}.gin").read_text(encoding="utf-8")
    comment = " ".join(_opening_comment(text))
    lines.append(f"{name:24} {len(study_file.load_study(name).model_nums):6} runs  {comment}")
  return "\n".join(lines)


def _opening_comment(text: str) -> list[str]:
  """Returns the words of the first paragraph of a file's opening comment."""
  words = []
  for line in text.splitlines():
    if not line.startswith("# "):
      break
    words += line.removeprefix("# ").split()
  return words
