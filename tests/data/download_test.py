import contextlib
import errno
import hashlib
import http.server
import io
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.request

import pytest

from dl_condind.data import checksums
from dl_condind.data import download
from dl_condind.data import sources
from dl_condind.data import web
from dl_condind.utils import errors

CONTENT = bytes(range(256)) * 1200  # several times what is read at once
SIZE = len(CONTENT)  # 307200 bytes
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
OTHER = CONTENT[::-1]
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>"
QUICK = download.Patience(attempts=3, first_delay=0.001, timeout=0.5)
WAIT = 20  # seconds, for what should take none


class Handler(http.server.BaseHTTPRequestHandler):
  """Answers as the server's behaviour says and counts the bytes of bodies."""

  def do_GET(self):
    self.server.requests.append((self.path, self.headers["Range"]))
    with contextlib.suppress(ConnectionError):
      self.server.behaviour(self)

  def begin(self, status, length=None, headers=()):
    self.send_response(status)
    if length is not None:
      self.send_header("Content-Length", str(length))
    for name, value in dict(headers).items():
      self.send_header(name, value)
    self.end_headers()

  def body(self, content):
    self.wfile.write(content)
    self.server.num_sent += len(content)

  @property
  def start(self):
    return int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))

  def log_message(self, *arguments):
    pass


class Server(http.server.ThreadingHTTPServer):
  def __init__(self, behaviour):
    super().__init__(("127.0.0.1", 0), Handler)
    self.behaviour = behaviour
    self.requests = []
    self.num_sent = 0
    self.released = threading.Event()  # At the latest when the test is over.

  @property
  def url(self):
    return f"http://127.0.0.1:{self.server_port}/file"

  @property
  def ranges(self):
    return [byte_range for _, byte_range in self.requests]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
  monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def serve():
  """Returns a function that starts a server with a behaviour: a function of the handler."""
  running = []

  def start(behaviour):
    server = Server(behaviour)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    running.append((server, thread))
    return server

  yield start
  for server, thread in running:
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def with_ranges(content, cut=None, then=lambda handler: None):
  """Serves content from any byte on, but only `cut` bytes of it at a time."""

  def behaviour(handler):
    start = handler.start
    if start >= len(content):
      handler.begin(416, 0, {"Content-Range": f"bytes */{len(content)}"})
    else:
      rest = content[start:]
      headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
      handler.begin(206 if start else 200, len(rest), headers if start else {})
      handler.body(rest[:cut])
      then(handler)

  return behaviour


def without_ranges(content, length="true", headers=(), status=200):
  def behaviour(handler):
    handler.begin(status, len(content) if length == "true" else length, headers)
    handler.body(content)

  return behaviour


def in_turn(*behaviours):
  """Answers each request with the next behaviour, and all further ones with the last."""
  left = list(behaviours)
  return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def stall(handler):
  handler.wfile.flush()
  handler.server.released.wait(WAIT)


def endless(chunked):
  def behaviour(handler):
    handler.begin(200, None, {"Transfer-Encoding": "chunked"} if chunked else {})
    while not handler.server.released.is_set():
      handler.body(b"10000\r\n" + bytes(0x10000) + b"\r\n" if chunked else bytes(0x10000))

  return behaviour


def source_of(*servers, checksum=SHA256, size=SIZE, max_bytes=1_000_000):
  urls = tuple(getattr(server, "url", server) for server in servers)
  return sources.File("set/file", checksum, size, urls, max_bytes)


def fetch(source, folder, patience=QUICK):
  return download.fetch(source, folder / "file", patience)


def tree(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_refused(source, folder, *reasons, left=()):
  """Asserts that the file is refused, in one line, and leaves nothing but the files `left`."""
  with pytest.raises(errors.DatasetError) as caught:
    fetch(source, folder)
  message = str(caught.value)
  assert "\n" not in message
  for part in (str(folder / "file"), *source.urls, f"Checksum: {source.checksum or 'not known'}."):
    assert part in message
  for reason in reasons:
    assert reason in message
  assert sorted(tree(folder)) == sorted(left)


# Servers that do as they should.


@pytest.mark.parametrize("checksum", [SHA256, MD5])
@pytest.mark.parametrize("size", [SIZE, None])
def test_whole_file(serve, tmp_path, checksum, size):
  server = serve(with_ranges(CONTENT))
  assert fetch(source_of(server, checksum=checksum, size=size), tmp_path) == checksum
  assert tree(tmp_path) == {"file": CONTENT}
  assert server.ranges == [None]


def test_no_length_and_chunks(serve, tmp_path):
  def chunked(handler):
    handler.begin(200, None, {"Transfer-Encoding": "chunked"})
    handler.body(b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, CONTENT))

  fetch(source_of(serve(without_ranges(CONTENT, length=None))), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  (tmp_path / "file").unlink()
  fetch(source_of(serve(chunked), size=None), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}


def test_unknown_checksum_is_noted(serve, tmp_path):
  (tmp_path / "file.part").write_bytes(OTHER[:1000])  # Nothing could tell that it is another's.
  server = serve(with_ranges(CONTENT))
  assert fetch(source_of(server, checksum=None, size=None), tmp_path) == SHA256
  digest = SHA256.removeprefix("sha256:")
  assert tree(tmp_path) == {"file": CONTENT, "file.sha256": f"{digest}  file\n".encode()}
  assert checksums.check(tmp_path / "file", None, None).state == checksums.OK
  (tmp_path / "file").write_bytes(OTHER)
  found = checksums.check(tmp_path / "file", None, None)
  assert found.state == checksums.DAMAGED
  assert found.detail.endswith(f"instead of {digest}")


def test_redirect_is_followed_with_the_range(serve, tmp_path):
  (tmp_path / "file.part").write_bytes(CONTENT[:1000])
  target = serve(with_ranges(CONTENT))
  server = serve(lambda handler: handler.begin(302, 0, {"Location": target.url}))
  fetch(source_of(server), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  assert target.ranges == ["bytes=1000-"]
  assert target.num_sent == SIZE - 1000


# Interrupted transfers.


@pytest.mark.parametrize("size", [SIZE, None])
def test_cut_connections_are_continued_without_fetching_a_byte_twice(serve, tmp_path, size):
  server = serve(with_ranges(CONTENT, cut=40_000))
  fetch(source_of(server, size=size), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  # More cuts than attempts: what brings the file further is not counted.
  assert server.ranges == [None, *(f"bytes={n}-" for n in range(40_000, SIZE, 40_000))]
  assert server.num_sent == SIZE


def test_reset_and_stalled_connections(serve, tmp_path):
  def reset(handler):
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()

  server = serve(
    in_turn(
      with_ranges(CONTENT, cut=1000, then=stall),
      with_ranges(CONTENT, cut=1000, then=reset),
      with_ranges(CONTENT),
    )
  )
  fetch(source_of(server), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  assert server.ranges[:2] == [None, "bytes=1000-"]
  assert len(server.ranges) == 3


@pytest.mark.parametrize("size", [SIZE, None])
def test_complete_part_of_an_earlier_process(serve, tmp_path, size):
  (tmp_path / "file.part").write_bytes(CONTENT)
  server = serve(with_ranges(CONTENT))
  fetch(source_of(server, size=size), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  assert server.ranges == ([] if size else [f"bytes={SIZE}-"])
  assert server.num_sent == 0


@pytest.mark.parametrize(
  ("part", "size", "ranges"),
  [
    (CONTENT + b"x", SIZE, [None]),
    (CONTENT + b"x", None, [f"bytes={SIZE + 1}-", None]),
    (OTHER[:1000], SIZE, ["bytes=1000-", None]),
    (OTHER, SIZE, [None]),
  ],
)
def test_part_of_another_file_is_not_kept(serve, tmp_path, part, size, ranges):
  (tmp_path / "file.part").write_bytes(part)
  server = serve(with_ranges(CONTENT))
  fetch(source_of(server, size=size), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  assert server.ranges == ranges


def test_server_without_ranges_starts_from_the_beginning(serve, tmp_path):
  (tmp_path / "file.part").write_bytes(CONTENT[:1000])
  server = serve(without_ranges(CONTENT))
  fetch(source_of(server), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  assert server.ranges == ["bytes=1000-"]


def test_server_that_sends_another_range_starts_from_the_beginning(serve, tmp_path):
  (tmp_path / "file.part").write_bytes(CONTENT[:1000])
  headers = {"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"}
  wrong = without_ranges(CONTENT, headers=headers, status=206)
  server = serve(in_turn(wrong, with_ranges(CONTENT)))
  fetch(source_of(server), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  assert server.ranges == ["bytes=1000-", None]


def test_part_of_the_file_that_was_not_asked_for(serve, tmp_path):
  headers = {"Content-Range": f"bytes 1000-{SIZE - 1}/{SIZE}"}
  server = serve(without_ranges(CONTENT[1000:], headers=headers, status=206))
  assert_refused(source_of(server), tmp_path, "it answers 206 Partial Content")


def test_another_server_continues(serve, tmp_path):
  first = serve(in_turn(with_ranges(CONTENT, cut=1000), without_ranges(b"", status=404)))
  second = serve(with_ranges(CONTENT))
  fetch(source_of(first, second), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  assert second.ranges == ["bytes=1000-"]


# Servers that fail.


def test_overloaded_server_is_asked_again_after_longer_and_longer_waits(
  serve, tmp_path, monkeypatch
):
  waits = []
  monkeypatch.setattr(download.time, "sleep", waits.append)
  busy = without_ranges(b"", status=503)
  fetch(source_of(serve(in_turn(busy, busy, with_ranges(CONTENT)))), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  assert waits == [0.001, 0.002]
  (tmp_path / "file").unlink()
  server = serve(busy)
  assert_refused(source_of(server), tmp_path, "it answers 503 Service Unavailable")
  assert len(server.requests) == 3


def test_server_that_always_stalls(serve, tmp_path):
  server = serve(stall)
  patience = download.Patience(attempts=2, first_delay=0.001, timeout=0.1)
  with pytest.raises(errors.DatasetError, match="timed out"):
    fetch(source_of(server), tmp_path, patience)
  assert len(server.requests) == 2
  assert tree(tmp_path) == {}


@pytest.mark.parametrize("status", [403, 404, 410])
def test_missing_file_is_not_asked_for_again(serve, tmp_path, status):
  server = serve(without_ranges(PAGE, status=status))
  assert_refused(source_of(server), tmp_path, f"it answers {status} ")
  assert len(server.requests) == 1


def test_next_server(serve, tmp_path):
  first, second = serve(without_ranges(PAGE, status=404)), serve(with_ranges(CONTENT))
  fetch(source_of(first, second), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}
  assert (len(first.requests), len(second.requests)) == (1, 1)


def test_nobody_there(tmp_path):
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
  assert_refused(source_of(url, url), tmp_path, f"({os.strerror(errno.ECONNREFUSED)})")


def test_no_http(serve, tmp_path):
  server = serve(lambda handler: handler.wfile.write(b"220 mail.example ESMTP\r\n"))
  assert_refused(source_of(server), tmp_path, "220 mail.example ESMTP")


# Servers that send something else.


def test_web_page_instead_of_the_file(serve, tmp_path):
  server = serve(without_ranges(PAGE, headers={"Content-Type": "text/html; charset=utf-8"}))
  reason = "it sends a web page instead of the file"
  for checksum, size in ((SHA256, SIZE), (None, None)):
    assert_refused(source_of(server, checksum=checksum, size=size), tmp_path, reason)
  assert len(server.requests) == 2


@pytest.mark.parametrize("page", [PAGE, b"\n<HTML>", b"\xef\xbb\xbf<!-- hi -->\n<html lang='en'>"])
def test_web_page_under_a_false_content_type(serve, tmp_path, page):
  server = serve(without_ranges(page, headers={"Content-Type": "application/octet-stream"}))
  reason = "it sends a web page instead of the file"
  assert_refused(source_of(server, checksum=None, size=None), tmp_path, reason)
  assert_refused(source_of(server), tmp_path, f"it sends {len(page)} bytes, instead of 307200")


def test_wrong_bytes(serve, tmp_path):
  (tmp_path / "file").write_bytes(b"old")
  server = serve(with_ranges(OTHER))
  found = hashlib.sha256(OTHER).hexdigest()
  reason = f"it sends a wrong file, which has sha256 {found} instead of {SHA256[7:]}"
  assert_refused(source_of(server), tmp_path, reason, left=["file"])
  assert len(server.requests) == 1
  assert (tmp_path / "file").read_bytes() == b"old"
  fetch(source_of(server, serve(with_ranges(CONTENT))), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}


def test_nothing(serve, tmp_path):
  server = serve(without_ranges(b""))
  assert_refused(source_of(server, checksum=None, size=None), tmp_path, "has 0 bytes")


@pytest.mark.parametrize("length", [SIZE - 1, SIZE + 1, 10**15])
def test_length_that_is_not_the_known_one(serve, tmp_path, length):
  server = serve(without_ranges(CONTENT, length=length))
  assert_refused(source_of(server), tmp_path, f"it sends {length} bytes, instead of 307200")
  assert len(server.requests) == 1


def test_length_that_is_a_lie(serve, tmp_path):
  short = serve(without_ranges(CONTENT, length=1000))
  assert_refused(source_of(short, size=None), tmp_path, "it sends a wrong file")
  long = serve(without_ranges(CONTENT, length=SIZE + 1))
  reason = "it stopped after 307200 of 307201 bytes"
  assert_refused(source_of(long, size=None), tmp_path, reason, left=["file.part"])
  assert len(long.requests) == 3


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [SIZE, None])
def test_endless_body(serve, tmp_path, chunked, size):
  server = serve(endless(chunked))
  limit = size or 1_000_000
  reason = f"it sends more than {limit} bytes"
  assert_refused(source_of(server, size=size), tmp_path, reason)
  assert len(server.requests) == 1


def test_length_above_the_limit(serve, tmp_path):
  server = serve(without_ranges(CONTENT, length=1_000_001))
  reason = "it sends 1000001 bytes, more than 1000000"
  assert_refused(source_of(server, size=None), tmp_path, reason)


@pytest.mark.parametrize(
  "target", ["file:///etc/hostname", "ftp://127.0.0.1/file", "data:,x", "http://[x/", "/file"]
)
def test_redirects_elsewhere(serve, tmp_path, target):
  server = serve(lambda handler: handler.begin(302, 0, {"Location": target}))
  assert_refused(source_of(server, checksum=None, size=None), tmp_path, "(")


def test_redirect_with_an_endless_body(serve, tmp_path):
  target = serve(with_ranges(CONTENT))

  def behaviour(handler):
    handler.begin(302, None, {"Location": target.url})
    while not handler.server.released.is_set():
      handler.body(bytes(0x10000))

  fetch(source_of(serve(behaviour)), tmp_path)
  assert tree(tmp_path) == {"file": CONTENT}


def test_redirects_do_not_give_up_encryption():
  handler = web._WebRedirects()
  request = urllib.request.Request("https://localhost/file")
  with pytest.raises(web.RefusedError, match="it redirects to http://localhost/file"):
    handler.redirect_request(request, io.BytesIO(), 302, "", {}, "http://localhost/file")


# This side.


def test_full_disk(serve, tmp_path):
  (tmp_path / "file.part").symlink_to("/dev/full")
  with pytest.raises(errors.TryAgainError, match="No space left to write .*file.part"):
    fetch(source_of(serve(with_ranges(CONTENT))), tmp_path)


def test_folder_that_is_not_there(serve, tmp_path):
  (tmp_path / "a").write_text("")
  with pytest.raises(errors.ConfigError, match="Cannot write .*file.part"):
    fetch(source_of(serve(with_ranges(CONTENT))), tmp_path / "a")


PROGRAM = """
import pathlib, signal, sys
from dl_condind.data import download, sources, web
url, folder, checksum, size = sys.argv[1:]

def loud_blocks(response, blocks=web.blocks):
  for block in blocks(response):
    yield block
    print(len(block), flush=True)

web.blocks = loud_blocks
signal.signal(signal.SIGINT, signal.default_int_handler)  # The tests may run in the background.
source = sources.File("set/file", checksum, int(size), (url,))
download.fetch(source, pathlib.Path(folder, "file"), download.Patience(timeout=20.0))
"""


def start_program(server, folder):
  command = [sys.executable, "-c", PROGRAM, server.url, str(folder), SHA256, str(SIZE)]
  return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_stopped_process_is_continued_by_the_next(serve, tmp_path, signal_number):
  half = SIZE // 2
  server = serve(in_turn(with_ranges(CONTENT, cut=half, then=stall), with_ranges(CONTENT)))
  with start_program(server, tmp_path) as process:
    num_arrived = 0
    while num_arrived < half:
      num_arrived += int(process.stdout.readline())
    process.send_signal(signal_number)
    process.wait(WAIT)
  assert list(tree(tmp_path)) == ["file.part"]
  arrived = (tmp_path / "file.part").read_bytes()
  assert CONTENT[: len(arrived)] == arrived
  assert half - io.DEFAULT_BUFFER_SIZE <= len(arrived) <= half
  server.released.set()
  with start_program(server, tmp_path) as process:
    process.communicate(timeout=WAIT)
    assert process.returncode == 0
  assert tree(tmp_path) == {"file": CONTENT}
  assert server.ranges == [None, f"bytes={len(arrived)}-"]


def test_progress_is_shown_on_a_terminal_only(serve, tmp_path, monkeypatch):
  monkeypatch.setattr(download, "_TERMINAL_PAUSE", 0.0)
  terminal, side = pty.openpty()
  with open(side, "w") as stderr:
    monkeypatch.setattr(sys, "stderr", stderr)
    fetch(source_of(serve(with_ranges(CONTENT))), tmp_path)
  shown = os.read(terminal, 1 << 16)
  os.close(terminal)
  assert b"\rset/file: 0.3 of 0.3 MB" in shown
  assert shown.endswith(b"\r\x1b[K")


def test_progress_is_logged_elsewhere(serve, tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(download, "_LOG_PAUSE", 0.0)
  lines = []
  monkeypatch.setattr(download.logging, "info", lambda text, *values: lines.append(text % values))
  fetch(source_of(serve(with_ranges(CONTENT))), tmp_path)
  assert lines[-1] == "set/file: 0.3 of 0.3 MB"
  assert capsys.readouterr().err == ""
