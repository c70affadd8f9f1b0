"""The command line: reads the settings, runs one command, and turns errors into messages and exit codes."""

import sys
from pathlib import Path

import click

import connectors
from connectors import logger
from connectors.cli import table
from connectors.cli.check import check
from connectors.cli.config import config as settings_commands
from connectors.cli.create import create
from connectors.cli.dead_letters import dead_letters
from connectors.cli.delete import delete
from connectors.cli.deletes import deletes
from connectors.cli.enable import disable, enable
from connectors.cli.engine import engine
from connectors.cli.invocation import Invocation
from connectors.cli.jobs import job, jobs
from connectors.cli.list import list_connectors
from connectors.cli.new import new
from connectors.cli.rules import rules
from connectors.cli.run import run
from connectors.cli.search import search
from connectors.cli.sections import Sections
from connectors.cli.set import set_settings
from connectors.cli.show import show as show_connector
from connectors.cli.sources import sources
from connectors.cli.status import status
from connectors.cli.sync import sync
from connectors.cli.tour import tour
from connectors.errors import ConfigurationError, ConnectorsError

EXIT_FAILED = 1
EXIT_WRONG_SETTINGS = 2
EXIT_INTERRUPTED = 130


@click.group(cls=Sections, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(connectors.__version__, message="connectors %(version)s")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file. Default: config.yml in this folder, if there is one.",
)
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Keep a search index true to its sources.

    Exit codes: 0 done, 1 failed, 2 wrong settings or arguments, 3 done and a person has to look at something, 130
    interrupted.
    """
    context.obj = Invocation(config)


cli.add_sections(
    {
        "Daemon": [run, tour],
        "Connectors": [list_connectors, status, show_connector, check, create, set_settings, enable, disable, delete],
        "Syncs": [sync, jobs, job, dead_letters, deletes, search],
        "Sources and rules": [sources, rules, new],
        "Settings and engine": [settings_commands, engine],
    }
)


def main() -> None:
    """Run the command of `sys.argv` and exit."""
    logger.set_up()
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except ConnectorsError as error:
        show(error)
        sys.exit(EXIT_WRONG_SETTINGS if isinstance(error, ConfigurationError) else EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def show(error: ConnectorsError) -> None:
    """Print an error for a person: what happened, then what to do, then how hard it was tried."""
    for line in table.lines_on_terminal(error.message, sys.stderr):
        click.secho(line, fg="red", err=True)
    for text in (error.hint, *getattr(error, "__notes__", ())):
        for line in table.lines_on_terminal(text, sys.stderr) if text else ():
            click.echo(line, err=True)
