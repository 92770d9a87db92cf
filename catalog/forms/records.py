"""A form with its rows, turned into one whole record; what is wrong with the record, shown at its field.

Rows below a form are always read as they were typed, from first to last, whatever rows the database holds meanwhile:
a record is replaced as a whole, so that a row has no identity to be kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.forms.models import BaseInlineFormSet

from catalog.errors import Problem
from catalog.forms.fields import WordsField
from catalog.projection import PROJECTIONS, kind_of, record_of
from catalog.records import Kind, Record
from catalog.validity import PRICE_IDENTITY

OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "modalities.input": ("input_modalities",),
    "modalities.output": ("output_modalities",),
    "availability.only": ("available_only",),
    "availability.never": ("available_never",),
    "availability.note": ("availability_note",),
    "subject": ("entry", "offering"),
}
"""Where a form calls a record's field something else."""
ROW: Final = re.compile(r"(\w+)\[(\d+)\]\.?(.*)\Z")


class JudgedByTheService(forms.ModelForm):
    """Fields are checked here; constraints between them by the service, which judges the record as a whole and names
    the field. Rows in the database are no measure: the record replaces them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field.widget, forms.MultiWidget):
                for part, widget in zip(("date", "time"), field.widget.widgets, strict=False):
                    widget.attrs["aria-label"] = f"{field.label or name.capitalize()}: {part}, UTC"
        vars(self.instance)["validate_constraints"] = lambda exclude=None: None  # noqa: ARG005 -- Django's signature

    def validate_unique(self) -> None:
        """See above."""


class RecordForm(JudgedByTheService):
    """The fields of one record; ``problems`` are what the service said when it refused what was typed."""

    problems: ClassVar[Sequence[Problem]] = ()
    rows_of: ClassVar[frozenset[str]] = frozenset()
    """Fields of the record that are lists of rows with forms of their own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, WordsField):
                field.initial_order = list(getattr(self.instance, name, None) or ())

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        kind = kind_of(self.instance)
        for problem in self.problems:
            row = ROW.match(problem.field)
            in_rows = (row[1] if row else problem.field) in self.rows_of
            if problem.kind != kind or not in_rows:
                show_problem(self, problem, problem.field if problem.kind == kind else "")
        return cleaned


class RowForm(JudgedByTheService):
    """One row below a record; the head of its column is no label, so each input says what it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if not isinstance(field.widget, forms.MultiWidget):
                label = field.label or name.replace("_", " ").capitalize()
                field.widget.attrs.setdefault("aria-label", label)


class RowFormSet(BaseInlineFormSet):
    """The rows of one list of a record, in the record's order."""

    problems: ClassVar[Sequence[Problem]] = ()
    record_field: ClassVar[str] = ""
    ordered_by: ClassVar[str] = ""
    """The form field that orders the rows; empty: they stay as they stand."""

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        prefix = kwargs.get("prefix") or self.get_default_prefix()
        super().__init__(as_new_rows(data, prefix) if data is not None else None, *args, **kwargs)

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs["aria-label"] = "Delete this row"

    def validate_unique(self) -> None:
        """The record's own rules say what may not stand twice."""

    def kept_forms(self) -> list[Any]:
        """The forms whose rows the record shall have, in its order."""
        kept = [
            form
            for form in self.forms
            if form.has_changed() and not (self.can_delete and self._should_delete_form(form))  # type: ignore[attr-defined]
        ]
        if self.ordered_by:
            last = 1_000_000
            kept.sort(key=lambda form: _place(form.cleaned_data.get(self.ordered_by), last))
        return kept

    def clean(self) -> None:
        super().clean()
        kept = self.kept_forms() if self.problems else []
        for problem in self.problems:
            row = ROW.match(problem.field)
            if row and row[1] == self.record_field and int(row[2]) < len(kept):
                show_problem(kept[int(row[2])], problem, row[3])
        if of_all := [words_of(p) for p in self.problems if p.field == self.record_field]:
            raise ValidationError(of_all)


def _place(position: Any, last: int) -> int:
    return last if position is None else int(position)


def as_new_rows(data: Any, prefix: str) -> Any:
    """The posted rows without their primary keys, which another edit may have replaced since the form was shown."""
    copy = data.copy()
    if f"{prefix}-INITIAL_FORMS" in copy:
        copy[f"{prefix}-INITIAL_FORMS"] = "0"
    primary_key = re.compile(re.escape(prefix) + r"-\d+-id\Z")
    for name in [name for name in copy if primary_key.match(name)]:
        copy[name] = ""
    return copy


def show_problem(form: Any, problem: Problem, path: str) -> None:
    """Adds a problem at its field, or above the form where it has none."""
    words = words_of(problem)
    field = field_of(path, form.fields, form.data, form.prefix)
    if field is None and problem.kind != _kind(form):
        words = f"{problem.kind} {problem.key}: {words}"
    elif field is None and path:
        words = f"{path}: {words}"
    form.add_error(field or NON_FIELD_ERRORS, words)


def words_of(problem: Problem) -> str:
    """What is wrong, and what to do about it."""
    reason = problem.reason[:1].upper() + problem.reason[1:]
    return f"{reason} — {problem.advice}" if problem.advice else reason


def _kind(form: Any) -> Kind | None:
    """A row's problems are its record's, so that a row has no kind that could differ."""
    return kind_of(form.instance) if isinstance(form, RecordForm) else None


def field_of(
    path: str, fields: Iterable[str], data: Mapping[str, Any] | None = None, prefix: str | None = None
) -> str | None:
    """The form field in which a record's field is written: ``limits.context_tokens`` is ``context_tokens``."""
    names = set(fields)
    plain = re.sub(r"\[\d+\]", "", path)
    candidates = [plain, *OTHER_NAMES.get(plain, ()), plain.rpartition(".")[2], plain.partition(".")[0]]
    found = [name for name in candidates if name in names]
    if plain == "subject" and len(found) > 1:
        typed = [name for name in found if (data or {}).get(f"{prefix}-{name}" if prefix else name)]
        return (typed or found)[0]
    return found[0] if found else None


def record_from(form: RecordForm, formsets: Iterable[RowFormSet], *, before: Record | None) -> dict[str, Any]:
    """The whole record that a valid form and its rows describe."""
    groups: dict[Any, str] = {
        group.model: group.field for group in PROJECTIONS[kind_of(form.instance)].children
    }
    rows = {groups[formset.model]: [row.instance for row in formset.kept_forms()] for formset in formsets}
    record = record_of(form.instance, rows)
    if "prices" in record and before:
        record["prices"] = with_spellings(record["prices"], before.get("prices", ()))
    return record


def with_spellings(prices: Iterable[Record], before: Iterable[Record]) -> list[dict[str, Any]]:
    """A price that was not touched keeps the way in which its source wrote it."""
    spellings = {_stated(price): price["spelling"] for price in before if "spelling" in price}
    return [
        {**price, **({"spelling": spellings[_stated(price)]} if _stated(price) in spellings else {})}
        for price in prices
    ]


def _stated(price: Record) -> tuple[Any, ...]:
    return tuple(price.get(name) for name in (*PRICE_IDENTITY, "amount"))
