"""Log lines: short for who reads them, and as JSON, one object a line, for collectors."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final

from django.core.exceptions import PermissionDenied, SuspiciousOperation

LONGEST_MESSAGE: Final = 2000
"""Characters of one message: addresses are as long as strangers make them."""

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Short(logging.Filter):
    """A refused request is one line, however long it was: a traceback is for faults of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, PermissionDenied | SuspiciousOperation):
            record.exc_info = record.exc_text = None
        message = record.getMessage()
        if len(message) > LONGEST_MESSAGE:
            record.msg, record.args = f"{message[:LONGEST_MESSAGE]}… ({len(message):,} characters)", ()
        return True


class JsonFormatter(logging.Formatter):
    """The standard facts, what was passed as ``extra``, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return json.dumps(facts, ensure_ascii=False, default=str)
