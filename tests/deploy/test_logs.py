"""What strangers can make the log say is short; what is our fault keeps its traceback."""

import io
import json
import logging
import sys

import pytest
from django.core.exceptions import DisallowedHost, PermissionDenied

from deploy.logs import LONGEST_MESSAGE, JsonFormatter, Short


def logged(
    error: Exception, message: str = "refused: %s", *, formatter: logging.Formatter | None = None
) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Short())
    handler.setFormatter(formatter or logging.Formatter("%(message)s"))
    try:
        raise error
    except type(error):
        record = logging.LogRecord(
            "django.request", logging.WARNING, "", 0, message, ("/path",), sys.exc_info()
        )
    handler.handle(record)
    return stream.getvalue()


@pytest.mark.parametrize("error", [PermissionDenied(), DisallowedHost("evil.example")])
def test_a_refused_request_is_one_line(error):
    assert logged(error) == "refused: /path\n"


def test_a_fault_of_ours_keeps_its_traceback():
    assert "ZeroDivisionError" in logged(ZeroDivisionError())
    assert (
        "ZeroDivisionError" in json.loads(logged(ZeroDivisionError(), formatter=JsonFormatter()))["traceback"]
    )


def test_a_long_address_does_not_fill_the_log():
    line = logged(PermissionDenied(), "a" * 100_000 + "%s")
    assert len(line) < LONGEST_MESSAGE + 40
    assert line.endswith("… (100,005 characters)\n")
