"""What the admin shows of publication; importing this adds it to the admin's site."""

from catalog.admin.site import site
from mirrors.admin.health import health, health_page
from mirrors.admin.publications import last_publication
from mirrors.admin.publishing import cancel, publish, retry, roll_back
from mirrors.admin.signatures import signatures

site.add_page("publish/", publish, "publish")
site.add_page("publications/<int:number>/cancel/", cancel, "cancel_publication")
site.add_page("publications/<int:number>/retry/", retry, "retry_publication")
site.add_page("rollback/<int:number>/", roll_back, "rollback")
site.add_page("health/", health_page, "health")
site.add_answer(last_publication)
site.add_answer(health)
site.add_answer(signatures)

__all__ = ["site"]
