"""The catalog's tables, by subject."""

from catalog.models.audit import AuditEvent
from catalog.models.changes import Change, ChangeRequest
from catalog.models.entries import Alias, Artifact, Lab, ModelEntry, Offering, Price, Provider
from catalog.models.releases import DocumentLine, DocumentSegment, DocumentState, RecordVersion, Release
from catalog.models.schemas import Adjustment, Membership, Schema
from catalog.models.targeting import Arm, Experiment, FeaturedItem, FeaturedList, Region, Trial

__all__ = [
    "Adjustment",
    "Alias",
    "Arm",
    "Artifact",
    "AuditEvent",
    "Change",
    "ChangeRequest",
    "DocumentLine",
    "DocumentSegment",
    "DocumentState",
    "Experiment",
    "FeaturedItem",
    "FeaturedList",
    "Lab",
    "Membership",
    "ModelEntry",
    "Offering",
    "Price",
    "Provider",
    "RecordVersion",
    "Region",
    "Release",
    "Schema",
    "Trial",
]
