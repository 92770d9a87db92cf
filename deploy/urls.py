"""Every address that Django answers; published files are answered before it (``deploy.wsgi``)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from catalog.views import schema_file, schema_files
from deploy.problems import read_only
from mirrors.admin import site
from mirrors.status import measurements, readyz
from mirrors.views import home


def healthz(_request: HttpRequest) -> HttpResponse:
    """Alive; touches nothing."""
    return HttpResponse(
        "ok\n", content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"}
    )


urlpatterns = [
    path("", read_only(home), name="home"),
    path("healthz", read_only(healthz)),
    path("readyz", read_only(readyz)),
    path("metrics", read_only(measurements)),
    path("schemas/", read_only(schema_files)),
    path("schemas/<slug:name>.json", read_only(schema_file)),
    path("admin/", site.urls),
]

handler400 = "deploy.problems.bad_request"
handler403 = "deploy.problems.permission_denied"
handler404 = "deploy.problems.page_not_found"
handler500 = "deploy.problems.server_error"
