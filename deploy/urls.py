"""Every address that Django answers; published files are answered before it (``deploy.wsgi``)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from catalog.views import schema_file, schema_files
from mirrors.admin import site
from mirrors.status import measurements, readyz
from mirrors.views import home


def healthz(_request: HttpRequest) -> HttpResponse:
    """Alive; touches nothing."""
    return HttpResponse(
        "ok\n", content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"}
    )


urlpatterns = [
    path("", home, name="home"),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", measurements),
    path("schemas/", schema_files),
    path("schemas/<slug:name>.json", schema_file),
    path("admin/", site.urls),
]

handler400 = "deploy.problems.bad_request"
handler403 = "deploy.problems.permission_denied"
handler404 = "deploy.problems.page_not_found"
handler500 = "deploy.problems.server_error"
