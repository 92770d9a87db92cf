"""The server's addresses and one that fails, for tests of what a fault shows."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from deploy.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


def fault(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret detail")


urlpatterns = [path("fault", fault)]
