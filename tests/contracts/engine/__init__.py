"""The parts of the engine contract, one noun per file."""

from pkgutil import iter_modules

import pytest

# Only test files get readable assertions by themselves; these are inherited from elsewhere.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
