"""Asking a web server for a file, all of it or from some byte on."""

from collections.abc import Iterator
import contextlib
import http
import http.client
import re
import urllib.error
import urllib.parse
import urllib.request

_BLOCK = 1 << 16  # bytes
_USER_AGENT = "dl_condind_download_data (Python urllib)"  # Wikimedia refuses urllib's own.
_WORTH_A_RETRY = (408, 425, 429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class RefusedError(Exception):
  """This server will not give the file."""


class TransientError(Exception):
  """This server may yet give the file."""


class CannotContinueError(Exception):
  """This server does not send the rest of what was downloaded before."""


class _WebRedirects(urllib.request.HTTPRedirectHandler):
  """Follows redirects from web address to web address only, and none that gives up encryption."""

  def redirect_request(self, req, fp, code, msg, headers, newurl):
    """Returns the request that a redirect asks for."""
    fp.close()  # urllib would read the body, which may be endless.
    scheme = urllib.parse.urlsplit(newurl).scheme
    if scheme not in ("http", "https") or (req.type, scheme) == ("https", "http"):
      raise RefusedError(f"it redirects to {newurl}")
    return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextlib.contextmanager
def connect(url: str, start: int, timeout: float) -> Iterator[http.client.HTTPResponse | None]:
  """Asks for a URL from byte start on. Yields None if the server says that nothing is left."""
  headers = {"User-Agent": _USER_AGENT} | ({"Range": f"bytes={start}-"} if start else {})
  opener = urllib.request.build_opener(_WebRedirects)
  try:
    response = opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
  except urllib.error.HTTPError as error:
    with contextlib.closing(error):
      if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
        kind = TransientError if error.code in _WORTH_A_RETRY else RefusedError
        raise kind(f"it answers {error.code} {_one_line(error.reason)}") from error
      if error.headers.get("Content-Range") != f"bytes */{start}":
        raise CannotContinueError from error
    yield None
    return
  except (OSError, http.client.HTTPException) as error:
    raise TransientError(_reason(error)) from error
  except ValueError as error:  # A redirect to what is no URL.
    raise RefusedError(_one_line(error)) from error
  with response:
    yield response


def position(response: http.client.HTTPResponse, start: int) -> tuple[int, int | None]:
  """Returns at which byte a response begins and how many the whole file has, if it says so."""
  if response.status == http.HTTPStatus.OK:  # All of it, asked for or not.
    return 0, response.length
  match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
  if response.status != http.HTTPStatus.PARTIAL_CONTENT or not start:
    raise RefusedError(f"it answers {response.status} {_one_line(response.reason)}")
  if not match or int(match[1]) != start:
    raise CannotContinueError
  return start, None if match[2] == "*" else int(match[2])


def blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
  """Yields what a server sends, as it comes."""
  while True:
    try:
      block = response.read1(_BLOCK)  # NB: `read` would lose what came before an error.
    except (OSError, http.client.HTTPException) as error:
      raise TransientError(_reason(error)) from error
    if not block:
      return
    yield block


def _reason(error: OSError | http.client.HTTPException) -> str:
  error = getattr(error, "reason", error)  # What urllib wraps.
  return _one_line(getattr(error, "strerror", None) or error) or type(error).__name__


def _one_line(value: object) -> str:
  return " ".join(str(value).split())
