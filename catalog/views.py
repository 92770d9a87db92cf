"""Public addresses of the catalog's own contracts."""

from __future__ import annotations

from pathlib import Path

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

SCHEMA_FILES = Path(__file__).parent / "schemas" / "files"


def _open(response: HttpResponse | FileResponse) -> HttpResponse | FileResponse:
    response["Cache-Control"] = "public, max-age=3600"
    response["Access-Control-Allow-Origin"] = "*"
    return response


@require_safe
def schema_files(_request: HttpRequest) -> HttpResponse | FileResponse:
    """The names of all published JSON Schemas."""
    names = sorted(path.name.replace(".schema.json", ".json") for path in SCHEMA_FILES.glob("*.schema.json"))
    return _open(JsonResponse({"schemas": [f"/schemas/{name}" for name in names]}))


@require_safe
def schema_file(_request: HttpRequest, name: str) -> HttpResponse | FileResponse:
    """One JSON Schema, found among the files that there are: the name never becomes a path."""
    for path in SCHEMA_FILES.glob("*.schema.json"):
        if path.name == f"{name}.schema.json":
            return _open(FileResponse(path.open("rb"), content_type="application/schema+json"))
    raise Http404(f"there is no schema {name}; /schemas/ lists them")
