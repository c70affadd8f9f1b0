"""Random mappings, documents and searches, made from a seed, and how the answers of two engines are compared."""
