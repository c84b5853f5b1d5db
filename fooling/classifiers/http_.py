"""classifier=http: a server to which batches are POSTed as JSON, in the words of TensorFlow Serving and KServe (v1).

The request is {"instances": [image, …]}, an image being nested lists in the chosen layout; the answer is
{"predictions": [[score, …], …]}, or such rows alone, or under one of the other names of ANSWERS.
"""

import hashlib
import time
from typing import Any

import numpy as np

from fooling.classifiers.adapted import Model
from fooling.errors import UserError
from fooling.groups import Classifier as Chosen

ANSWERS = ("predictions", "scores", "outputs", "probabilities", "logits")
FIRST_WAIT = 0.2  # seconds before the first repetition; each further one waits twice as long …
LONGEST_WAIT = 10.0  # … up to this
AGAIN = (429, 500, 502, 503, 504)  # answers after which a call is repeated


def open_http(chosen: Chosen, threads: int) -> Model:
    """A server's answers. Raises UserError where it stays silent, or says something else than scores."""
    del threads
    import httpx

    url = chosen.path or ""
    where = f"classifier.path={url}"
    if not url.startswith(("http://", "https://")):
        raise UserError(f"{where}: expected the URL of a server, http://… or https://…")
    client = httpx.Client(timeout=chosen.timeout)

    def predict(inputs: Any) -> Any:
        body = {"instances": np.asarray(inputs).tolist()}
        return rows_of(ask_server(client, url, body, chosen.retries, where), where)

    fingerprint = hashlib.sha256(url.encode()).hexdigest()
    return Model(
        predict, where, fingerprint, "NHWC", notes=("classifier: what stands behind the URL is not part of the record",)
    )


def ask_server(client: Any, url: str, body: Any, retries: int, where: str) -> Any:
    """The server's answer to a batch; asks again, after longer and longer waits, where it is down, slow or overworked."""
    import httpx

    for attempt in range(retries + 1):
        if attempt:
            time.sleep(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))
        try:
            response = client.post(url, json=body)
        except httpx.TimeoutException:
            advice = "a longer classifier.timeout or a smaller classifier.batch_size may help"
            said = f"no answer within {client.timeout.read:g} s; {advice}"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            said = f"no connection ({error or type(error).__name__}); does the server run?"
        else:
            if response.status_code == 200:
                return response
            said = f"status {response.status_code}: {in_short(response.text)}"
            if response.status_code not in AGAIN:
                break
    raise UserError(f"{where}: expected scores, got {said} ({attempt + 1} {'call' if attempt == 0 else 'calls'})")


def rows_of(response: Any, where: str) -> Any:
    """The rows of scores in an answer."""
    hint = 'expected JSON: {"predictions": [[score, …], …]}, a row for each image'
    try:
        found = response.json()
    except ValueError as error:
        kind = response.headers.get("content-type", "no content-type")
        raise UserError(f"{where}: {hint}; got {kind}: {in_short(response.text)}") from error
    if isinstance(found, dict):
        names = [name for name in ANSWERS if name in found]
        if not names:
            raise UserError(f"{where}: {hint}; got an object with {', '.join(map(str, list(found)[:8])) or 'nothing in it'}")
        found = found[names[0]]
    if not isinstance(found, list):
        raise UserError(f"{where}: {hint}; got {in_short(str(found))}")
    if all(isinstance(row, str) for row in found):
        return np.array(found)
    try:
        return np.array(found, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise UserError(f"{where}: {hint}; got rows of different lengths, or not of numbers: {in_short(str(found))}") from error


def in_short(text: str) -> str:
    """The beginning of a text on one line."""
    return " ".join(text.split())[:120] or "nothing"
