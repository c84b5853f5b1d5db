"""classifier=http: a server to which batches are POSTed as JSON, in the words of TensorFlow Serving and KServe (v1).

The request is {"instances": [image, …]}, an image being nested lists in the chosen layout; the answer is
{"predictions": [[score, …], …]}, or such rows alone, or under one of the other names of ANSWERS.
"""

import hashlib
import json
import time
from typing import Any, NamedTuple

import numpy as np

from fooling.classifiers.adapters.adapter import Model, TooManyError
from fooling.errors import UserError
from fooling.settings.classifiers import HttpSettings as Chosen

ANSWERS = ("predictions", "scores", "outputs", "probabilities", "logits")
FIRST_WAIT = 0.2  # seconds before the first repetition; each further one waits twice as long …
LONGEST_WAIT = 10.0  # … up to this
AGAIN = (429, 500, 502, 503, 504)  # answers after which a call is repeated
TOO_LARGE = 413  # the answer after which the batch is halved
BATCH = 256  # images a call where nobody says how many: 4 MB of JSON for MNIST
LONGEST_ANSWER = 1 << 26  # bytes


class Answer(NamedTuple):
    """What a server said."""

    status: int
    kind: str  # its content-type
    body: bytes

    @property
    def text(self) -> str:
        """As text, for messages."""
        return self.body[:1000].decode(errors="replace")


def open_http(chosen: Chosen, threads: int) -> Model:
    """A server's answers. Raises UserError where it stays silent, or says something else than scores."""
    del threads
    import httpx

    url = chosen.path or ""
    where = f"classifier.path={url}"
    if not url.lower().startswith(("http://", "https://")):
        raise UserError(f"{where}: expected the URL of a server, http://… or https://…")
    client = httpx.Client(timeout=chosen.timeout)

    def predict(inputs: Any) -> Any:
        body = {"instances": np.asarray(inputs).tolist()}
        return rows_of(ask_server(client, url, body, chosen.retries, where), where)

    fingerprint = hashlib.sha256(url.encode()).hexdigest()
    notes = ("classifier: what stands behind the URL is not part of the record",)
    return Model(predict, where, fingerprint, "NHWC", most=BATCH, notes=notes)


def ask_server(client: Any, url: str, body: Any, retries: int, where: str) -> Answer:
    """The server's answer to a batch; asks again, after longer and longer waits, where it is down, slow or overworked."""
    import httpx

    for attempt in range(retries + 1):
        if attempt:
            time.sleep(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))
        try:
            answer = post(client, url, body)
        except httpx.TimeoutException:
            advice = "a longer classifier.timeout or a smaller classifier.batch_size may help"
            said = f"no answer within {client.timeout.read:g} s; {advice}"
        except httpx.DecodingError as error:
            said = f"an answer that cannot be decoded ({error})"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            said = f"no connection ({error or type(error).__name__}); does the server run?"
        else:
            if answer.status == 200:
                return answer
            said = f"status {answer.status}: {in_short(answer.text)}"
            if answer.status == TOO_LARGE:
                raise TooManyError(f"{where}: expected scores of {len(body['instances'])} images, got {said}")
            if answer.status not in AGAIN:
                break
    raise UserError(f"{where}: expected scores, got {said} ({attempt + 1} {'call' if attempt == 0 else 'calls'})")


def post(client: Any, url: str, body: Any) -> Answer:
    """One call; all of its answer within the timeout, and not without end."""
    import httpx

    end, parts, size = time.monotonic() + client.timeout.read, [], 0
    with client.stream("POST", url, json=body) as response:
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if time.monotonic() > end:
                raise httpx.ReadTimeout("")
            if size > LONGEST_ANSWER:
                raise httpx.DecodingError(f"more than {LONGEST_ANSWER:,} bytes")
        kind = response.headers.get("content-type", "no content-type")
        return Answer(response.status_code, kind, b"".join(parts))


def rows_of(answer: Answer, where: str) -> Any:
    """The rows of scores in an answer."""
    hint = 'expected JSON: {"predictions": [[score, …], …]}, a row for each image'
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: {hint}; got {answer.kind}: {in_short(answer.text)}") from error
    if isinstance(found, dict):
        names = [name for name in ANSWERS if name in found]
        if not names:
            raise UserError(f"{where}: {hint}; got an object with {', '.join(map(str, list(found)[:8])) or 'nothing in it'}")
        found = found[names[0]]
    if not isinstance(found, list):
        raise UserError(f"{where}: {hint}; got {in_short(str(found))}")
    if found and all(isinstance(row, str) for row in found):
        return np.array(found)
    try:
        return np.array(found, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{where}: {hint}; got rows of different lengths, or not of numbers: {in_short(str(found))}") from error


def in_short(text: str) -> str:
    """The beginning of a text on one line."""
    return "".join(letter for letter in " ".join(text.split())[:120] if letter.isprintable()) or "nothing"
