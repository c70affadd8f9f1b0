"""The limits of syncs: each setting of the service gets to where it is obeyed."""

from connectors.settings import DownloadSettings, Settings, SyncsSettings
from connectors.sync.content.downloads import DownloadLimits
from connectors.sync.workplace import SyncLimits
from connectors.sync.writing.writer import WriterLimits


def test_the_defaults_of_the_settings_are_those_of_the_limits() -> None:
    assert SyncLimits.of(Settings()) == SyncLimits()


def test_each_setting_becomes_the_limit_that_it_names() -> None:
    sync = SyncsSettings(
        batch_bytes=1,
        batch_documents=2,
        waiting_bytes=3,
        concurrency=4,
        heartbeat_timeout_s=5.0,
        engine_unavailable_timeout_s=6.0,
        checkpoint_every_s=11.0,
    )
    downloads = DownloadSettings(concurrent=7, at_once_bytes=9, largest_bytes=8, timeout_s=10.0)
    assert SyncLimits.of(Settings(sync=sync, downloads=downloads)) == SyncLimits(
        writer=WriterLimits(batch_bytes=1, batch_documents=2, waiting_bytes=3, unavailable_timeout_s=6.0),
        downloads=DownloadLimits(concurrent=7, at_once_bytes=9, largest_bytes=8, timeout_s=10.0),
        most_bulks=4,
        lease_timeout_s=5.0,
        checkpoint_every_s=11.0,
    )
