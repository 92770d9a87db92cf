"""The admin: every table of the catalog on a site of our own. Importing this registers them."""

from catalog.admin import changes, entries, people, releases, targeting
from catalog.admin.site import site

__all__ = ["changes", "entries", "people", "releases", "site", "targeting"]
