"""Form fields for what records hold beyond single words: lists, names with values, plain JSON, exact decimals.

Each shows what it is given in the form in which it takes it back, so that an untouched field changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from catalog.spelling import plain_decimal

DEEPEST: Final = 32
"""Levels of a JSON value; the importers stop there too."""


def described(form_field: type[forms.Field], model: type[models.Model], name: str, **kwargs: Any) -> Any:
    """A form field with the label and the help of its column."""
    column: Any = model._meta.get_field(name)  # noqa: SLF001 -- Django documents it
    label = str(column.verbose_name)
    kwargs.setdefault("label", label[:1].upper() + label[1:])
    kwargs.setdefault("help_text", column.help_text)
    return form_field(**kwargs)


class LinesField(forms.CharField):
    """A list of texts, one to a line."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}))
        kwargs.setdefault("required", False)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))

    def run_validators(self, value: Any) -> None:
        """Each line is judged with the record that it becomes part of."""


class PairsField(LinesField):
    """Names with values, ``name = value`` to a line."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return "\n".join(f"{name} = {text}" for name, text in value.items())
        return value

    def to_python(self, value: Any) -> Any:
        pairs: dict[str, str] = {}
        for line in super().to_python(value):
            name, equals, text = (part.strip() for part in line.partition("="))
            if not (name and equals and text):
                raise ValidationError(f"“{line}” is not “name = value”.")
            if name in pairs:
                raise ValidationError(f"“{name}” stands there twice.")
            pairs[name] = text
        return pairs

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or {}) != self.to_python(data))
        except ValidationError:
            return True


class WordsField(forms.MultipleChoiceField):
    """Some of a fixed set of words, as boxes to tick; those that were there keep their order."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, *, words: Sequence[str] | Callable[[], Iterable[str]], **kwargs: Any) -> None:
        def choices() -> list[tuple[str, str]]:
            return [(word, word) for word in (words() if callable(words) else words)]

        kwargs.setdefault("required", False)
        super().__init__(choices=choices, **kwargs)
        self.initial_order: Sequence[str] = ()

    def to_python(self, value: Any) -> list[str]:
        ticked = super().to_python(value)
        kept = [word for word in self.initial_order if word in ticked]
        return kept + [word for word in ticked if word not in kept]


class RecordJSONField(forms.CharField):
    """A JSON object of a record: no floats, no repeated names, no bottomless nesting."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "class": "code"}))
        kwargs.setdefault("required", False)
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=False, indent=2) if value else ""

    def to_python(self, value: Any) -> Any:
        text = (value or "").strip()
        if not text:
            return {}
        try:
            found = json.loads(
                text,
                parse_float=_no_float,
                parse_constant=_no_float,
                parse_int=_whole,
                object_pairs_hook=_no_repetition,
            )
        except json.JSONDecodeError as error:
            raise ValidationError(
                f"Not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
            ) from None
        except RecursionError:
            raise ValidationError("It is nested too deeply.") from None
        if not isinstance(found, dict):
            raise ValidationError('An object is needed: {"name": value}.')
        if _depth(found) > DEEPEST:
            raise ValidationError("It is nested too deeply.")
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool((initial or {}) != self.to_python(data))
        except ValidationError:
            return True

    def run_validators(self, value: Any) -> None:
        """An object has no length; what is in it is judged with the record."""


def _no_float(text: str) -> Any:
    raise ValidationError(f'{text} is not a whole number: write it as text, "{text}".')


def _whole(text: str) -> int:
    if len(text) > 17:
        raise ValidationError("A number in it is larger than 2^53 - 1: write it as text.")
    return int(text)


def _no_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValidationError(f"“{twice}” stands there twice.")
    return found


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


EXACTLY: Final = Context(prec=100)
"""Enough for every decimal that a record may hold, so that moving its point loses no digit."""


class AmountField(forms.CharField):
    """A price for one unit, exactly as typed; ``3/M`` is 3 for a million of them."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "size": 14}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return plain_decimal(str(value)) if isinstance(value, Decimal) else value

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").replace(" ", "")
        if not text:
            return None
        number, slash, _million = text.partition("/")
        if slash and _million.upper() not in ("M", "1M", "MILLION"):
            raise ValidationError("Write the price of one unit, or of a million as 3/M.")
        try:
            amount = Decimal(plain_decimal(number))
        except ValueError as error:
            raise ValidationError(f"{error}.") from None
        if amount < 0:
            raise ValidationError("A price is 0 or more.")
        return amount.scaleb(-6, EXACTLY) if slash else amount

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(initial != self.to_python(data))
        except ValidationError:
            return True

    def run_validators(self, value: Any) -> None:
        """The column judges its length."""
