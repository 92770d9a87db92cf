"""The tables of publication: split by subject, gathered here for Django."""

from mirrors.models.documents import Appearance, Delta, PublishedDocument, SignedFile
from mirrors.models.garbage import Collection, Unreferenced
from mirrors.models.manners import StoreFindings
from mirrors.models.publication import Publication, StoreProgress
from mirrors.models.work import Job, Lease

__all__ = [
    "Appearance",
    "Collection",
    "Delta",
    "Job",
    "Lease",
    "Publication",
    "PublishedDocument",
    "SignedFile",
    "StoreFindings",
    "StoreProgress",
    "Unreferenced",
]
