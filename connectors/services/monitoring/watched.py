"""Watched: what is known of a daemon by those who watch it, from its start on."""

from dataclasses import dataclass, field

from connectors.aio.clock import Clock
from connectors.engine import Engine
from connectors.services.monitoring.health import Health
from connectors.services.monitoring.metrics import Metrics
from connectors.services.monitoring.pulse import Pulses
from connectors.store.state import INDEX


@dataclass
class Watched:
    """The metrics, the pulses of the parts, and what follows from them."""

    clock: Clock
    metrics: Metrics = field(default_factory=Metrics)
    pulses: Pulses = field(init=False)
    health: Health = field(init=False)

    def __post_init__(self) -> None:
        self.pulses = Pulses(self.clock)
        self.health = Health(self.pulses, self.clock)

    def begin(self, engine: Engine) -> None:
        """Ask this engine from now on whether it answers, and count what is sent to it."""
        self.health.ask = lambda: engine.control.get(INDEX.name, "ready?")
        for lane, traffic in engine.traffic.items():
            self.metrics.traffic[lane] = traffic
