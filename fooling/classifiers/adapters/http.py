"""classifier=http: a server that scores batches POSTed as JSON, by the protocol of TensorFlow Serving and KServe (v1).

The request is {"instances": [image, …]}, an image being nested lists in the chosen layout; the answer is
{"predictions": [[score, …], …]}, or such rows alone, or under one of the other names of ANSWERS.
"""

import hashlib
import json
import logging
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import httpx
import numpy as np

from fooling.classifiers.adapters.deadline import END, bounded_client, remaining
from fooling.classifiers.adapters.model import Model
from fooling.classifiers.adapters.pace import LONGEST_REQUEST, Pace, requested_wait
from fooling.errors import ANY_VALUE, HARMLESS, MASK, UserError, duration, first_line, masked, masked_url, printable
from fooling.settings.classifiers import HttpSettings
from fooling.settings.fields import read_rate
from fooling.settings.files import ceiling, parse_json

ANSWERS = ("predictions", "scores", "outputs", "probabilities", "logits")
FIRST_WAIT = 0.2  # seconds before the first retry; each further one waits twice as long …
MAX_WAIT = 10.0  # … up to this
RETRIED = (429, 500, 502, 503, 504)  # statuses after which a call is repeated
TOO_LARGE = 413  # status after which the batch is halved
BATCH_SIZE = 256  # images a call by default: 4 MB of JSON for MNIST
CODINGS = ("", "identity", "gzip", "deflate")  # of an answer: these cannot grow without bound between two looks at their size
HINT = 'expected JSON: {"predictions": [[score, …], …]}, a row for each image'
SHORT = 120  # letters of an answer in a message


class TooLargeError(UserError):
    """The server accepts no batch of this size."""


class Answer(NamedTuple):
    """A server's answer."""

    status: int
    kind: str  # its content-type
    body: bytes
    secrets: Sequence[str] = ()  # that its text may repeat
    wait: float | None = None  # seconds until the next call, where it asks for them

    @property
    def text(self) -> str:
        """As text, for messages, masked before it is cut: half a secret would be found no more."""
        return hidden(self.body.decode(errors="replace"), self.secrets)[:1000]


def open_http(settings: HttpSettings, threads: int) -> Model:
    """The model behind a URL. Its `predict` raises UserError without an answer, or for one that is no scores.

    Only a batch that the server calls too large is halved: other failures have been retried already.
    """
    del threads
    url = settings.path or ""
    shown = masked_url(url) if "://" in url else masked(url)
    where = f"classifier.path={shown}"
    if not url.lower().startswith(("http://", "https://")):
        raise UserError(f"{where}: expected the URL of a server, http://… or https://…")
    if MASK in url:
        advice = "give classifier.path=… in full, or classifier.auth_env=NAME of an environment variable"
        raise UserError(f"{where}: expected a whole URL, got one without its secrets, as records hold it; {advice}")
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        raise UserError(f"{where}: expected a valid URL; write signs such as @ : / ? # in a password as %40 …") from None
    pace = Pace(read_rate(settings.rate))
    client, sent = bounded_client(settings.timeout), f", with the credentials in ${settings.auth_env}"
    client.headers.update(credentials(settings.auth_env))
    secrets = secrets_of(address, client.headers.get("authorization", ""))
    logging.getLogger("fooling").warning("contacts %s%s", shown, sent if settings.auth_env else "")

    def predict(inputs: Any) -> Any:
        body = {"instances": np.asarray(inputs).tolist()}
        try:
            answer = post_with_retries(client, address, body, settings.retries, where, secrets, pace)
            return content_of(answer, where) if settings.output == "top" else rows_of(answer, where)
        except UserError as error:  # its text may be the server's, which may repeat what it was sent
            raise type(error)(hidden(str(error), secrets)) from None

    # Which model answers may be a parameter that is not shown; its hash does not reveal it.
    fingerprint = hashlib.sha256(masked_url(url, ANY_VALUE).encode()).hexdigest()
    notes = ("classifier: the model behind the URL is not part of the record",)
    return Model(
        predict,
        where,
        fingerprint,
        "NHWC",
        batch_size=BATCH_SIZE,
        halve_after=TooLargeError,
        notes=notes,
        partial=True,
        paced=True,
    )


def credentials(name: str | None) -> dict[str, str]:
    """The header with the credentials in an environment variable: a token, user:password, or a scheme and what it needs."""
    if name is None:
        return {}
    if not (name.isascii() and name.isidentifier()):  # perhaps the secret itself: it is not repeated
        raise UserError("classifier.auth_env: expected the name of an environment variable, such as API_TOKEN, got other text")
    secret = os.environ.get(name, "").strip()
    if not secret or not secret.isprintable():
        got = "control characters" if secret else "nothing"
        raise UserError(f"classifier.auth_env={name}: expected a token or user:password in ${name}, got {got}; export {name}=…")
    if " " not in secret and ":" in secret:
        secret = f"Basic {b64encode(secret.encode()).decode()}"
    return {"authorization": (secret if " " in secret else f"Bearer {secret}").encode().decode("latin-1")}


def secrets_of(url: httpx.URL, sent: str) -> list[str]:
    """What a server's answer must not repeat in our messages: the longest first, as one may contain another."""
    logins = [sent.rpartition(" ")[2], sent.partition(" ")[2]]
    if sent.startswith("Basic "):
        with suppress(ValueError):
            logins += b64decode(logins[0]).decode(errors="replace").split(":", 1)[1:]
    if url.userinfo:  # sent decoded; what others repeat may be either form
        logins += [f"{url.username}:{url.password}", url.userinfo.decode(), url.password or url.username]
        logins += [b64encode(login.encode()).decode() for login in logins[-3:-1]]
    values = [*url.params.values(), *(pair.partition("=")[2] for pair in url.query.decode().split("&"))]
    found = {*logins, url.userinfo.decode().partition(":")[2], *(value for value in values if not HARMLESS.fullmatch(value))}
    found |= {form for text in found for form in (quote(text), quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1])}
    return sorted(found - {""}, key=len, reverse=True)


def hidden(text: str, secrets: Sequence[str]) -> str:
    """A text with the secrets masked."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def post_with_retries(client: Any, url: Any, body: Any, retries: int, where: str, secrets: Sequence[str], pace: Pace) -> Answer:
    """The server's answer to a batch, with retries after longer and longer waits, or those that it asks for.

    Raises UserError.
    """
    requested = 0.0  # seconds that the server asks to wait
    for attempt in range(retries + 1):
        if attempt:
            time.sleep(max(requested, min(MAX_WAIT, FIRST_WAIT * 2 ** (attempt - 1))))
        pace.wait(len(body["instances"]))
        requested = 0.0
        try:
            answer = post(client, url, body, secrets)
        except httpx.TimeoutException:
            advice = "a longer classifier.timeout or a smaller classifier.batch_size may help"
            reason = f"no answer within {client.timeout.read:g} s; {advice}"
        except httpx.DecodingError as error:
            reason = f"an answer that cannot be decoded ({first_line(hidden(str(error), secrets) or error)})"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            reason = f"no connection ({first_line(hidden(str(error), secrets) or error)}); does the server run?"
        else:
            if answer.status == 200:
                return answer
            reason = f"status {answer.status}: {first_line(answer.text, SHORT)}"
            if answer.status == TOO_LARGE:
                raise TooLargeError(f"{where}: expected scores of {len(body['instances'])} images, got {reason}")
            requested = answer.wait or 0.0
            if answer.status not in RETRIED:
                break
            if requested > LONGEST_REQUEST:
                reason += (
                    f"; it asks to wait {duration(requested)}, at most {duration(LONGEST_REQUEST)} are waited; try again then"
                )
                break
    raise UserError(f"{where}: expected scores, got {reason} ({attempt + 1} {'call' if attempt == 0 else 'calls'})")


def post(client: Any, url: Any, body: Any, secrets: Sequence[str] = ()) -> Answer:
    """One call. The whole answer must arrive within the timeout and be no longer than the ceiling."""
    parts, size, limit = [], 0, ceiling("JSON")
    token = END.set(time.monotonic() + client.timeout.read)
    try:
        with client.stream("POST", url, json=body, headers={"accept-encoding": "gzip, deflate"}) as response:
            if response.headers.get("content-encoding", "").strip().lower() not in CODINGS:
                raise httpx.DecodingError(f"content-encoding {response.headers['content-encoding']}")
            for part in response.iter_bytes():
                remaining(httpx.ReadTimeout)
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise httpx.DecodingError(f"more than {limit:,} bytes")
            kind = printable(hidden(response.headers.get("content-type", "no content-type"), secrets), SHORT)
            wait = requested_wait(response.headers.get("retry-after", ""))
            return Answer(response.status_code, kind, b"".join(parts), secrets, wait)
    finally:
        END.reset(token)


def content_of(answer: Answer, where: str) -> list[Any]:
    """What an answer holds for each image. Raises UserError for other content."""
    hint = HINT
    try:
        content = parse_json(answer.body)
    except ValueError as error:
        raise UserError(f"{where}: {hint}; got {answer.kind}: {first_line(answer.text, SHORT)}") from error
    if isinstance(content, dict):
        names = [name for name in ANSWERS if name in content]
        if not names:
            keys = hidden(", ".join(list(content)[:8]) or "no keys", answer.secrets)
            raise UserError(f"{where}: {hint}; got an object with {first_line(keys)}")
        content = content[names[0]]
    if not isinstance(content, list):
        raise UserError(f"{where}: {hint}; got {first_line(answer.text, SHORT)}")
    return content


def rows_of(answer: Answer, where: str) -> Any:
    """The scores, or labels, in an answer. Raises UserError for other content."""
    content, hint = content_of(answer, where), HINT
    if content and all(isinstance(row, str) for row in content):
        return np.array([printable(hidden(row, answer.secrets)) for row in content])
    try:
        return np.array(content, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(
            f"{where}: {hint}; got rows of different lengths, or not of numbers: {first_line(answer.text, SHORT)}"
        ) from error
