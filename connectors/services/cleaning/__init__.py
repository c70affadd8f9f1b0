"""What nobody else sees to: jobs that were lost, and what is left of what is gone."""
