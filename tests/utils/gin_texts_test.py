import pytest

from dl_condind.utils import errors
from dl_condind.utils import gin_parser
from dl_condind.utils import gin_texts


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  return tmp_path


def read(files, bindings=()):
  return [statement.selector for statement, _ in gin_texts.statements(files, bindings)]


def test_statements_of_included_files_are_in_their_place(folder):
  (folder / "a.gin").write_text("one = 1\ninclude 'b.gin'\nthree = 3\n")
  (folder / "b.gin").write_bytes(b"\xef\xbb\xbftwo = 2\r\nx/net.units = [1,\r\n  2]\r\n")
  found = list(gin_texts.statements(["a.gin"], ["four = 4"]))
  names = [statement.selector for statement, _ in found]
  assert names == ["one", "two", "net", "three", "four"]
  places = [source.where(statement.location.line_num) for statement, source in found]
  assert places == ["a.gin:1", "b.gin:1", "b.gin:2", "a.gin:3", "gin_bindings='four = 4'"]


@pytest.mark.parametrize(
  "name, meant",
  [
    ("methods/betavae.gin", "methods/beta_vae.gin"),
    ("method/vae.gin", "methods/vae.gin"),
    ("vae.gin", "methods/vae.gin"),
    ("mig.gin", "metrics/mig.gin"),
    ("metrics/mig", "metrics/mig.gin"),
    ("Shared.gin", "shared.gin"),
    ("mine/exprimnt.gin", "mine/experiment.gin"),
    ("{folder}/mine/exprimnt.gin", "{folder}/mine/experiment.gin"),
  ],
)
def test_missing_file_suggests_the_nearest_one(name, meant, folder):
  (folder / "mine").mkdir()
  (folder / "mine" / "experiment.gin").write_text("")
  name, meant = name.format(folder=folder), meant.format(folder=folder)
  with pytest.raises(errors.ConfigError) as caught:
    read([name])
  assert str(caught.value).startswith(
    f"no gin file {name!r}; did you mean {meant!r}? Looked in: ., "
  )


def test_missing_include_suggests_a_file_beside_the_including_one(folder):
  (folder / "x").mkdir()
  (folder / "x" / "baseline.gin").write_text("")
  (folder / "x" / "a.gin").write_text("include 'baselin.gin'\n")
  with pytest.raises(errors.ConfigError, match=r"^x/a\.gin:1: .*; did you mean 'baseline\.gin'\?"):
    read(["x/a.gin"])


def too_large(files, bindings=()):
  with pytest.raises(errors.ConfigError, match="the configuration is too large") as caught:
    read(files, bindings)
  return str(caught.value)


def test_limit_is_that_of_all_files_and_bindings_together(folder):
  half = "#" * (gin_parser.MAX_BYTES // 2 - 1) + "\n"
  (folder / "a.gin").write_text(half)
  assert read(["a.gin", "a.gin"]) == []
  assert too_large(["a.gin", "a.gin"], ["x = 1"]).startswith("gin_bindings='x = 1': ")
  assert too_large(["a.gin"] * 3).startswith("a.gin: ")


def test_file_above_the_limit_is_not_read_to_its_end(folder):
  with open(folder / "a.gin", "wb") as file:
    file.truncate(2**40)  # A sparse file, far larger than memory.
  message = too_large(["a.gin"])
  assert message.startswith("a.gin: ")
  assert "1,000,000 bytes" in message


def test_million_statements_are_refused_before_they_are_parsed(folder):
  (folder / "a.gin").write_text("m = 1\n" * 10**6)
  assert "1,000,000 bytes" in too_large(["a.gin"])
  (folder / "a.gin").write_text("m = 1\n" * 10**5)
  assert too_large(["a.gin"]).startswith("a.gin:24976: ")  # Four tokens a line.


def test_files_that_include_each_other_many_times_are_refused(folder):
  # Two includes in each of 20 files would be a million.
  for number in range(20):
    (folder / f"{number}.gin").write_text(f"include '{number + 1}.gin'\n" * 2)
  (folder / "20.gin").write_text("m = 1\n")
  assert "100,000 tokens" in too_large(["0.gin"])


def test_digest_is_of_what_own_files_say(folder):
  (folder / "part.gin").write_text("vae.beta = 2.0")
  path = folder / "whole.gin"

  def digest(text):
    path.write_text(text)
    return gin_texts.own_digest(str(path))

  first = digest("include 'part.gin'\nmodel.model = @vae()")
  assert (
    digest("# A comment.\ninclude 'part.gin'\n\nmodel.model =\\\n    @vae()  # Another.") == first
  )
  assert digest("include 'part.gin'\nmodel.model = @annealed_vae()") != first
  (folder / "part.gin").write_text("vae.beta = 3.0")
  assert digest("include 'part.gin'\nmodel.model = @vae()") != first
  assert gin_texts.own_digest("methods/vae.gin") is None
