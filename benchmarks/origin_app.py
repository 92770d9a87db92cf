"""The application that the servers under measurement load: the static server alone."""

import os
from pathlib import Path

from almanac.static import StaticApp

application = StaticApp(Path(os.environ.get("BENCHMARK_STORE", ".")))
