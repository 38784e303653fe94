"""What schemathesis does before it sends a case."""

import itertools
import re

import schemathesis

HEADER = "Idempotency-Key"
numbers = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """A key that an earlier case was sent with is refused by right, and no schema says so: each good one becomes new."""
    for name, key in (case.headers or {}).items():
        if name.lower() == HEADER.lower() and isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
            case.headers[name] = f"{next(numbers)}-{key}"[:255]
