"""classifier=http: a server that scores batches POSTed as JSON, by the protocol of TensorFlow Serving and KServe (v1).

The request is {"instances": [image, …]}, an image being nested lists in the chosen layout; the answer is
{"predictions": [[score, …], …]}, or such rows alone, or under one of the other names of ANSWERS.
"""

import hashlib
import json
import time
from typing import Any, NamedTuple

import httpx
import numpy as np

from fooling.classifiers.adapters.adapter import Model
from fooling.errors import UserError, first_line
from fooling.settings.schema import HttpSettings

ANSWERS = ("predictions", "scores", "outputs", "probabilities", "logits")
FIRST_WAIT = 0.2  # seconds before the first retry; each further one waits twice as long …
MAX_WAIT = 10.0  # … up to this
RETRIED = (429, 500, 502, 503, 504)  # statuses after which a call is repeated
TOO_LARGE = 413  # status after which the batch is halved
BATCH_SIZE = 256  # images a call by default: 4 MB of JSON for MNIST
MAX_BYTES = 1 << 26  # of an answer
SHORT = 120  # letters of an answer in a message


class TooLargeError(UserError):
    """The server accepts no batch of this size."""


class Answer(NamedTuple):
    """A server's answer."""

    status: int
    kind: str  # its content-type
    body: bytes

    @property
    def text(self) -> str:
        """As text, for messages."""
        return self.body[:1000].decode(errors="replace")


def open_http(settings: HttpSettings, threads: int) -> Model:
    """The model behind a URL. Its `predict` raises UserError without an answer, or for one that is no scores.

    Only a batch that the server calls too large is halved: other failures have been retried already.
    """
    del threads
    url = settings.path or ""
    where = f"classifier.path={url}"
    if not url.lower().startswith(("http://", "https://")):
        raise UserError(f"{where}: expected the URL of a server, http://… or https://…")
    client = httpx.Client(timeout=settings.timeout)

    def predict(inputs: Any) -> Any:
        body = {"instances": np.asarray(inputs).tolist()}
        return rows_of(post_with_retries(client, url, body, settings.retries, where), where)

    fingerprint = hashlib.sha256(url.encode()).hexdigest()
    notes = ("classifier: the model behind the URL is not part of the record",)
    return Model(predict, where, fingerprint, "NHWC", batch_size=BATCH_SIZE, halve_after=TooLargeError, notes=notes)


def post_with_retries(client: Any, url: str, body: Any, retries: int, where: str) -> Answer:
    """The server's answer to a batch, with retries after longer and longer waits. Raises UserError."""
    for attempt in range(retries + 1):
        if attempt:
            time.sleep(min(MAX_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))
        try:
            answer = post(client, url, body)
        except httpx.TimeoutException:
            advice = "a longer classifier.timeout or a smaller classifier.batch_size may help"
            reason = f"no answer within {client.timeout.read:g} s; {advice}"
        except httpx.DecodingError as error:
            reason = f"an answer that cannot be decoded ({error})"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            reason = f"no connection ({error or type(error).__name__}); does the server run?"
        else:
            if answer.status == 200:
                return answer
            reason = f"status {answer.status}: {first_line(answer.text, SHORT)}"
            if answer.status == TOO_LARGE:
                raise TooLargeError(f"{where}: expected scores of {len(body['instances'])} images, got {reason}")
            if answer.status not in RETRIED:
                break
    raise UserError(f"{where}: expected scores, got {reason} ({attempt + 1} {'call' if attempt == 0 else 'calls'})")


def post(client: Any, url: str, body: Any) -> Answer:
    """One call. The whole answer must arrive within the timeout and be no longer than `MAX_BYTES`."""
    end, parts, size = time.monotonic() + client.timeout.read, [], 0
    with client.stream("POST", url, json=body) as response:
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if time.monotonic() > end:
                raise httpx.ReadTimeout("")
            if size > MAX_BYTES:
                raise httpx.DecodingError(f"more than {MAX_BYTES:,} bytes")
        kind = response.headers.get("content-type", "no content-type")
        return Answer(response.status_code, kind, b"".join(parts))


def rows_of(answer: Answer, where: str) -> Any:
    """The scores, or labels, in an answer. Raises UserError for other content."""
    hint = 'expected JSON: {"predictions": [[score, …], …]}, a row for each image'
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: {hint}; got {answer.kind}: {first_line(answer.text, SHORT)}") from error
    if isinstance(content, dict):
        names = [name for name in ANSWERS if name in content]
        if not names:
            raise UserError(f"{where}: {hint}; got an object with {', '.join(map(str, list(content)[:8])) or 'no keys'}")
        content = content[names[0]]
    if not isinstance(content, list):
        raise UserError(f"{where}: {hint}; got {first_line(str(content), SHORT)}")
    if content and all(isinstance(row, str) for row in content):
        return np.array(content)
    try:
        return np.array(content, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(
            f"{where}: {hint}; got rows of different lengths, or not of numbers: {first_line(str(content), SHORT)}"
        ) from error
