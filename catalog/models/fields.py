"""Columns that keep what they are given: exact decimals, dates of any precision, text that sorts by code point."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.forms import DecimalField, Field

from catalog.spelling import MAX_DECIMAL_CHARACTERS, NATIVE_ID, PARTIAL_DATE, SHA256, SLUG, plain_decimal

CODE_POINT_COLLATIONS: Final = {"postgresql": "C", "sqlite": "BINARY"}

slug_form = RegexValidator(
    SLUG, "Lower-case letters, digits, '.', '_' and '-', at most 128; it begins with a letter or digit."
)
native_id_form = RegexValidator(
    NATIVE_ID, "Printable ASCII, 1 to 256 characters, exactly as the provider writes it."
)
partial_date_form = RegexValidator(
    PARTIAL_DATE, "A date as precise as it is known: 2025, 2025-05 or 2025-05-01."
)
sha256_form = RegexValidator(SHA256, "64 lower-case hexadecimal digits.")


class CodePointField(models.CharField):
    """Text that sorts by code point on every database, so that the same rows give the same order of bytes."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        parameters: dict[str, Any] = dict(super().db_parameters(connection))
        parameters["collation"] = CODE_POINT_COLLATIONS.get(connection.vendor)
        return parameters


class ExactDecimalField(models.CharField):
    """A decimal kept as text: SQLite would make a float of a number."""

    description = "A decimal, kept exactly"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = MAX_DECIMAL_CHARACTERS
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_length"]
        return name, path, args, kwargs

    def from_db_value(self, value: str | None, *_: Any) -> Decimal | None:
        return None if value is None else Decimal(value)

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        if isinstance(value, float):
            raise ValidationError("A price is written as a decimal, never as a float.")
        try:
            return Decimal(plain_decimal(str(value)))
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def get_prep_value(self, value: Any) -> str | None:
        number = self.to_python(value)
        return None if number is None else plain_decimal(str(number))

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj)) or ""

    def formfield(self, **kwargs: Any) -> Field | None:
        kwargs.pop("max_length", None)
        return models.Field.formfield(self, form_class=DecimalField, **kwargs)

    def run_validators(self, value: Any) -> None:
        """The length is the text's, which ``get_prep_value`` checks; the number itself has none."""


class PartialDateField(models.CharField):
    """A date in its own precision: ``2025``, ``2025-05`` or ``2025-05-01``."""

    default_validators = [partial_date_form]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 10
        kwargs.setdefault("blank", True)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_length"]
        return name, path, args, kwargs
