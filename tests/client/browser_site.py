"""The origin that the browser's test visits: the static server with an empty page, and a log of what was asked and sent."""

import json
import os
from pathlib import Path

from almanac.static import StaticApp

STORE = Path(os.environ["BROWSER_SITE_STORE"])
LOG = Path(os.environ["BROWSER_SITE_LOG"])
PAGE = b"<!doctype html><title>Almanac</title>"


def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))])
    return [PAGE]


static = StaticApp(STORE, page)


def application(environ, start_response):
    def logged(status, headers, exc_info=None):
        if environ["QUERY_STRING"].startswith("age="):  # as a cache on the way would say it
            headers = [*headers, ("Age", environ["QUERY_STRING"].removeprefix("age="))]
        entry = {
            "address": environ["PATH_INFO"],
            "site": environ["HTTP_HOST"],
            "status": status,
            "held": environ.get("HTTP_AVAILABLE_DICTIONARY"),
            "accept": environ.get("HTTP_ACCEPT_ENCODING"),
            "sent": {name.lower(): value for name, value in headers},
        }
        with LOG.open("a") as log:
            log.write(json.dumps(entry) + "\n")
        return start_response(status, headers)

    return static(environ, logged)
