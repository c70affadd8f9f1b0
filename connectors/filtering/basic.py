"""The validators that every source's basic rules go through."""

from typing import Any, Final

DEFAULT_VALIDATORS: Final[tuple[Any, ...]] = ()
