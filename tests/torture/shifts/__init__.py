"""The shifts: whole daemons in virtual time, as many at once as a seed wants, and what they promise of jobs and ticks.

All but the processes is real: roster, scheduler, preparation, worker with its crew, janitor, and in each process that a
crew believes to have started the bench with its job runs and syncs. Every request waits at one gate, where the seed
decides what goes on next, who is killed, and what gets lost.
"""
