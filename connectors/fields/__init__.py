"""The settings of a source: fields that are declared once, and configurations that hold their values."""

from connectors.fields.configuration import Configuration
from connectors.fields.field import Field
from connectors.fields.fields import Fields

__all__ = ["Configuration", "Field", "Fields"]
