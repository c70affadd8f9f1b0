"""The sources that there are: where each was found, and what it says of itself."""

from connectors.registry.registry import Listing, Origin, Place, Registry, nearest

__all__ = ["Listing", "Origin", "Place", "Registry", "nearest"]
