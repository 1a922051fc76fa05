"""What all of it needs."""

import hashlib
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Of every mailbox.
PASSWORD = "correct-horse"
# limits.message; what is larger is left where it is.
LARGEST = 4 << 20


class Failure(Exception):
    """What was promised and is not so."""


def check(good, what):
    if not good:
        raise Failure(what)


def digest(mail):
    return hashlib.sha256(mail).hexdigest()
