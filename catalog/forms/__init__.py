"""Forms in which people write records."""
