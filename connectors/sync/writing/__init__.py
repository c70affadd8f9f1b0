"""How operations get to the engine, and what becomes of them."""
