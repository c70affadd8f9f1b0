"""Who owns a target: the lease, and what fences an earlier owner."""
