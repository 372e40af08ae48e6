import pathlib
import re

import pytest

from dl_condind.utils import json_objects


def test_an_object_is_read(tmp_path):
  path = tmp_path / "a.json"
  path.write_text('{"a": [1, null], "b": "\\ud83d\\ude00 é"}', encoding="utf-8")
  expected = {"a": [1, None], "b": "\N{GRINNING FACE} é"}
  assert json_objects.read(path) == json_objects.parse(path.read_bytes()) == expected
  with pytest.raises(FileNotFoundError):
    json_objects.read(tmp_path / "b.json")


DAMAGED = {
  "empty": b"",
  "cut": b'{"a": 1',
  "list": b"[]",
  "number": b"3",
  "not UTF-8": b'{"\xe9": 1}',
  "nested": b'{"a": ' + b"[" * 200_000,
  "nested and closed": b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
  "half a pair": rb'{"a": "\uD800"}',
  "half a pair as key": rb'{"\udc00": 1}',
  "5000 digits": b'{"a": ' + b"1" * 5000 + b"}",
  "not a number": b'{"a": NaN}',
  "infinite": b'{"a": -Infinity}',
  "overflow": b'{"a": [1e999]}',
  "overflow of digits": b'{"a": -1' + b"0" * 310 + b".5}",
  "integer beyond a float": b'{"a": 1' + b"0" * 310 + b"}",
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_no_object_is_one_error(tmp_path, case):
  (tmp_path / "a.json").write_bytes(DAMAGED[case])
  with pytest.raises(ValueError, match=r".") as caught:
    json_objects.read(tmp_path / "a.json")
  assert "\n" not in str(caught.value)


def test_nan_can_stand_for_none():
  text = '{"a": NaN, "b": [-Infinity, 1], "c": 1e999, "d": [1.5e300, 2, -1' + "0" * 310 + "]}"
  found = json_objects.parse(text, nan_is_none=True)
  assert found == {"a": None, "b": [None, 1], "c": None, "d": [1.5e300, 2, None]}


def test_no_other_module_reads_json():
  package = pathlib.Path(__file__).parents[2] / "dl_condind"
  readers = {
    path.name for path in package.rglob("*.py") if re.search(r"json\.loads?\(", path.read_text())
  }
  assert readers == {"json_objects.py"}
