"""What is due: the connectors, their schedules, and the jobs that ticks make."""
