from django.apps import AppConfig


class MirrorsConfig(AppConfig):
    """Where the catalog is fetched: stores, publication, deltas, mirrors."""

    name = "mirrors"
    default_auto_field = "django.db.models.BigAutoField"
