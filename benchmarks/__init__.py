"""What is measured, against whom: ``python -m benchmarks`` runs every scenario, names after it run some."""
