"""How every table of the catalog is edited: a form and its rows become one record, the record one change request.

Nothing here writes a live row. When the service refuses what was typed, the form is shown again with the reasons at
their fields; when somebody else changed the record meanwhile, with what they changed beside it.
"""

# ruff: noqa: ARG002 -- Django decides what its methods are given
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextareaWidget, RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import PROTECT, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from almanac.errors import AlmanacError
from catalog.admin.differences import field_differences, record_difference
from catalog.errors import ChangeError, ConflictError, Problem
from catalog.forms.records import RecordForm, RowForm, RowFormSet, record_from
from catalog.models import Change, RecordVersion
from catalog.projection import PROJECTIONS
from catalog.reading import loaded
from catalog.records import Kind, Record, key_of
from catalog.services.changes import ProposedChange, propose
from catalog.services.editing import Edit, edit_record, plan_edit
from catalog.services.locking import hold_catalog
from catalog.spelling import searchable

SEEN: Final = "_seen"
"""The hidden field that says which version of the record the form showed."""
REFUSAL: Final = "catalog.refusal"
OUTCOME: Final = "catalog.outcome"
MOST_REFERRERS: Final = 20
HISTORY_SHOWN: Final = 100


class StaleError(Exception):
    """The record is no longer the one that the form showed."""

    def __init__(self, typed: Record) -> None:
        super().__init__("somebody changed this record meanwhile")
        self.typed = typed


def without_shortcuts(field: Any) -> Any:
    """Looking at what is chosen, or adding what is missing; changing or removing it is done on its own page."""
    if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
        field.widget.can_change_related = False
        field.widget.can_delete_related = False
    return field


class RowsInline(admin.TabularInline):
    """Rows of a record. Whoever may change the record may change them: they have no rights of their own."""

    form = RowForm
    formset = RowFormSet
    extra = 0
    record_field = ""
    ordered_by = ""

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        return without_shortcuts(super().formfield_for_dbfield(db_field, request, **kwargs))

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        refusal = request.META.get(REFUSAL, ())
        names = {"problems": refusal, "record_field": self.record_field, "ordered_by": self.ordered_by}
        kwargs["formset"] = type(f"{self.model.__name__}Rows", (self.formset,), names)
        return super().get_formset(request, obj, **kwargs)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_edit(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_edit(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_edit(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_edit(request) or self._may(request, "view")

    def _may_edit(self, request: HttpRequest) -> bool:
        return self._may(request, "add") or self._may(request, "change")

    def _may(self, request: HttpRequest, verb: str) -> bool:
        name = self.parent_model._meta.model_name  # noqa: SLF001 -- Django documents it
        return bool(request.user.has_perm(f"catalog.{verb}_{name}"))


class RecordAdmin(admin.ModelAdmin):
    """One kind of record."""

    kind: ClassVar[Kind]
    key_fields: ClassVar[tuple[str, ...]] = ("slug",)
    """They make the key, so they can be chosen once."""
    form = RecordForm
    show_full_result_count = False
    list_per_page = 50
    change_form_template = "admin/almanac/record_form.html"
    delete_confirmation_template = "admin/almanac/remove_record.html"
    object_history_template = "admin/almanac/record_history.html"
    save_on_top = False

    formfield_overrides: ClassVar[Any] = {
        models.TextField: {"widget": AdminTextareaWidget(attrs={"rows": 3})}
    }

    # --- forms ---------------------------------------------------------------------------------------------------

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        return without_shortcuts(super().formfield_for_dbfield(db_field, request, **kwargs))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = self.key_fields if obj else ()
        return (*super().get_readonly_fields(request, obj), *fixed)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        rows = frozenset(group.field for group in PROJECTIONS[self.kind].children)
        problems = request.META.get(REFUSAL, ())
        return type(form.__name__, (form,), {"problems": problems, "rows_of": rows})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Once; and once more with the reasons, when the service refused what was typed."""
        version = self._live(object_id)
        context = {**(extra_context or {}), "seen_field": SEEN, "seen": version.digest if version else ""}
        if version:
            record = loaded(version.data) or {}
            name = record.get("name") or record.get("title") or version.key
            kind_and_key = str(self.opts.verbose_name) + ("" if name == version.key else f" {version.key}")
            context |= {"title": name, "subtitle": kind_and_key}
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, context)
        context["seen"] = request.POST.get(SEEN, "")
        try:
            with transaction.atomic():
                hold_catalog()
                return super().changeform_view(request, object_id, form_url, context)
        except ChangeError as error:
            request.META[REFUSAL] = error.problems
        except StaleError as stale:
            return self._shown_beside(request, stale, object_id, form_url, context)
        except AlmanacError as error:
            request.META[REFUSAL] = (Problem(self.kind, "", "", str(error), error.advice),)
        return super().changeform_view(request, object_id, form_url, context)

    def _shown_beside(
        self,
        request: HttpRequest,
        stale: StaleError,
        object_id: str | None,
        form_url: str,
        context: dict[str, Any],
    ) -> Any:
        """The form as it was typed, with how it differs from the record as it is now."""
        version = self._live(object_id)
        reason = "somebody else changed this record after this form was opened; nothing was saved"
        advice = "compare below; saving again writes what this form says"
        request.META[REFUSAL] = (Problem(self.kind, "", "", reason, advice),)
        request.META[OUTCOME] = None
        now = loaded(version.data) if version else None
        context.update(
            seen=version.digest if version else "",
            conflict=field_differences(now, stale.typed),
            conflict_by=self._last_change(version.key) if version else None,
        )
        response = super().changeform_view(request, object_id, form_url, context)
        response.status_code = 409
        return response

    def _live(self, object_id: str | None) -> RecordVersion | None:
        row = self.model._default_manager.filter(pk=object_id).first() if str(object_id).isdecimal() else None  # noqa: SLF001
        return RecordVersion.objects.filter(kind=self.kind, key=row.key, live=True).first() if row else None

    def _last_change(self, key: str) -> Change | None:
        changes = Change.objects.filter(kind=self.kind, key=key).select_related("request")
        return changes.order_by("-pk").first()

    # --- saving --------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Nothing is written yet: the rows belong to the same record."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Form and rows as one record, handed over as one change request."""
        version = self._live(str(form.instance.pk)) if change else None
        before = loaded(version.data) if version else None
        record = record_from(form, formsets, before=before)
        if change and (version is None or request.POST.get(SEEN) != version.digest):
            raise StaleError(record)
        key = key_of(self.kind, record)
        if not change and RecordVersion.objects.filter(kind=self.kind, key=key, live=True).exists():
            raise ChangeError([Problem(self.kind, key, self.key_fields[-1], f"there is already {key}")])
        edited = edit_record(
            kind=self.kind, key=key, after=record, by=request.user.get_username(), now=timezone.now()
        )
        row = PROJECTIONS[self.kind].model.objects.filter(**{PROJECTIONS[self.kind].key: key}).first()
        form.instance.pk = row.pk if row else None
        request.META[OUTCOME] = outcome(f"{self.opts.verbose_name} {key}", edited)

    def construct_change_message(self, request: Any, form: Any, formsets: Any, add: bool = False) -> Any:
        return []

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The change request is the log."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The change request is the log."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """The change request is the log."""

    def message_user(self, request: HttpRequest, message: Any, *args: Any, **kwargs: Any) -> None:
        """What the service did, in place of Django's own words."""
        if said := request.META.pop(OUTCOME, None):
            messages.add_message(request, *said)
        else:
            super().message_user(request, message, *args, **kwargs)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        if obj.pk is None:  # it waits in a change request
            self.message_user(request, "")
            return HttpResponseRedirect(reverse(f"admin:catalog_{self.opts.model_name}_changelist"))
        return super().response_add(request, obj, post_url_continue)

    # --- removing ------------------------------------------------------------------------------------------------

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes and what stands in the way, without walking through the whole catalog."""
        gone = [str(obj) for obj in objs]
        standing = [name for obj in objs for name in referrers(obj)]
        allowed = self.has_delete_permission(request)
        return gone, {self.opts.verbose_name_plural: len(gone)}, set() if allowed else {"remove"}, standing

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        try:
            with transaction.atomic():
                return super().delete_view(request, object_id, extra_context)
        except AlmanacError as error:
            said = error.problems if isinstance(error, ChangeError) else (error,)
            for problem in said:
                messages.error(request, str(problem))
            return HttpResponseRedirect(
                reverse(f"admin:catalog_{self.opts.model_name}_change", args=[object_id])
            )

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        edited = edit_record(
            kind=self.kind, key=obj.key, after=None, by=request.user.get_username(), now=timezone.now()
        )
        request.META[OUTCOME] = outcome(f"{self.opts.verbose_name} {obj.key}", edited, removed=True)

    def get_actions(self, request: HttpRequest) -> Any:
        """Removing many at once is not offered: what refers to them would have to be removed first, one by one."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    # --- lists ---------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = str(self.opts.verbose_name_plural)
        return super().changelist_view(
            request, {"title": title[:1].upper() + title[1:], **(extra_context or {})}
        )

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> Any:
        return super().get_search_results(request, queryset, searchable(search_term))

    # --- history -------------------------------------------------------------------------------------------------

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """What change requests did to this record."""
        obj = self.get_object(request, object_id)
        if obj is None:
            messages.warning(request, f"There is no such {self.opts.verbose_name} any more.")
            return HttpResponseRedirect(reverse(f"admin:catalog_{self.opts.model_name}_changelist"))
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        changes = Change.objects.filter(kind=self.kind, key=obj.key).select_related("request__release")
        steps = [
            (
                change.request,
                record_difference(self.kind, obj.key, loaded(change.before), loaded(change.after)),
            )
            for change in changes.order_by("-pk")[:HISTORY_SHOWN]
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {obj.key}",
            "subtitle": None,
            "steps": steps,
            "shown": HISTORY_SHOWN,
            "module_name": str(self.opts.verbose_name_plural).capitalize(),
            "object": obj,
            "opts": self.opts,
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.object_history_template, context)


def outcome(what: str, edited: Edit | None, *, removed: bool = False) -> tuple[int, str]:
    """What to tell the operator: done, waiting for review, or nothing to do."""
    if edited is None:
        return messages.INFO, f"Nothing was changed: the {what} says this already."
    request = edited.request
    if request.status in request.OPEN:
        return (
            messages.WARNING,
            f"Proposed as change request {request.pk}: the {what} changes when it is approved.",
        )
    words = f"The {what} was {'removed' if removed else 'saved'} (change request {request.pk})."
    if edited.cleared:
        words += " Also cleared: " + "; ".join(map(str, edited.cleared)) + "."
    return messages.SUCCESS, words


def referrers(obj: models.Model) -> list[str]:
    """What refers to a record, named up to a limit."""
    names: list[str] = []
    for relation in obj._meta.related_objects:  # noqa: SLF001 -- Django documents it
        if relation.on_delete is not PROTECT:
            continue
        model: Any = relation.related_model
        rows = model._default_manager.filter(**{relation.field.name: obj})[: MOST_REFERRERS + 1]  # noqa: SLF001
        names += [f"{model._meta.verbose_name} {row}" for row in rows]  # noqa: SLF001
    if len(names) > MOST_REFERRERS:
        names[MOST_REFERRERS:] = ["and more"]
    return names


def change_many(
    modeladmin: RecordAdmin, request: HttpRequest, queryset: QuerySet, *, title: str, fields: dict[str, Any]
) -> None:
    """One change request that sets these fields in every chosen record."""
    if not modeladmin.has_change_permission(request):
        raise PermissionDenied
    keys: Sequence[str] = list(queryset.values_list("key", flat=True))
    versions = RecordVersion.objects.filter(kind=modeladmin.kind, live=True, key__in=keys)
    changes: dict[tuple[Kind, str], ProposedChange] = {}
    for version in versions:
        after = {**(loaded(version.data) or {}), **fields}
        planned = plan_edit(kind=modeladmin.kind, key=version.key, after=after)
        changes.update({(change.kind, change.key): change for change in planned.changes})
    try:
        made = propose(
            title=title, changes=list(changes.values()), by=request.user.get_username(), now=timezone.now()
        )
    except (ChangeError, ConflictError) as error:
        modeladmin.message_user(request, str(error), messages.ERROR)
        return
    if made is None:
        modeladmin.message_user(request, "Nothing was changed: they say this already.", messages.INFO)
        return
    done = "Proposed" if made.status in made.OPEN else "Done"
    count = made.changes.count()
    words = f"{done}: {title} ({count} record{'' if count == 1 else 's'}, change request {made.pk})."
    modeladmin.message_user(request, words, messages.SUCCESS)
