"""Finding sources: real modules and real package metadata, in folders made for each test."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from connectors.errors import ConfigurationError
from connectors.registry import Listing, Origin, Registry

ROOT = Path(__file__).parent.parent.parent
SOURCE = """
    from connectors.fields import Field, Fields
    from connectors.source import BaseDataSource

    class {name}(BaseDataSource):
        name = "{name}"
        service_type = "{service_type}"
        fields = Fields(Field("host", "Host", default="localhost"))

        async def ping(self):
            pass

        async def get_docs(self, filtering=None):
            yield {{"_id": "1"}}
"""
DUCK = """
    class Duck:
        service_type = "duck"

        def __init__(self, configuration):
            self.configuration = configuration

        @classmethod
        def get_default_configuration(cls):
            return {"host": {"value": "localhost", "type": "str", "label": "Host"}}

        async def ping(self):
            pass

        async def get_docs(self, filtering=None):
            yield {"_id": "1"}, None
"""
BASE = "from connectors.source import BaseDataSource\n"


class Place:
    """A folder on the path of imports, with a package of sources whose name no other test uses."""

    def __init__(self, folder: Path, home: str) -> None:
        self.folder = folder
        self.home = home
        (folder / home).mkdir()
        (folder / home / "__init__.py").touch()

    def source(self, service_type: str, *more: str, name: str = "Letters") -> None:
        self.module(f"{self.home}/{service_type}", SOURCE.format(name=name, service_type=service_type), *more)

    def module(self, path: str, *texts: str) -> None:
        file = self.folder / f"{path}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(dedent(text) for text in texts))

    def package(self, name: str, *entries: str, extras: tuple[str, ...] = ()) -> None:
        info = self.folder / f"{name.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            "Version: 1.2",
            *(f"Provides-Extra: {one}" for one in extras),
        ]
        (info / "METADATA").write_text("\n".join(lines) + "\n")
        (info / "entry_points.txt").write_text("\n".join(["[connectors.sources]", *entries]) + "\n")

    def registry(self, **settings: str) -> Registry:
        return Registry(settings, home=self.home)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Place:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Place(tmp_path, f"home_of_{request.node.name.partition('[')[0]}_{abs(hash(request.node.name))}")


def refusal(registry: Registry, service_type: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        registry.source(service_type)
    assert caught.value.field == "service_type"
    return caught.value


def test_a_file_is_a_source_of_its_name(place: Place) -> None:
    place.source("letters")
    place.module(f"{place.home}/_shared", "raise RuntimeError('nobody asked for it')")
    registry = place.registry()
    source = registry.source("letters")
    assert source.__name__ == "Letters"
    assert registry.listings() == [Listing("letters", Origin.PROJECT, source=source)]
    assert (registry.listings()[0].available, registry.listings()[0].found_in) == (True, "connectors/sources")


def test_names_are_known_without_importing_anything(place: Place) -> None:
    place.source("letters")
    place.source("stamps")
    registry = place.registry(parcels="parcels_of_mine:Parcels")
    assert list(registry.places) == ["letters", "parcels", "stamps"]
    registry.source("stamps")
    assert [name for name in sys.modules if name.startswith(f"{place.home}.")] == [f"{place.home}.stamps"]


def test_a_source_is_imported_once(place: Place) -> None:
    place.source("letters", "import itertools\ncount = itertools.count()\n")
    registry = place.registry()
    assert registry.listing("letters") is registry.listing("letters")


def test_settings_come_before_files_and_files_before_packages(place: Place) -> None:
    place.source("letters", name="Ours")
    place.source("stamps", name="OurStamps")
    place.module(f"{place.home}_other/all", SOURCE.format(name="Mine", service_type="anything"))
    place.module(f"{place.home}_package", *(SOURCE.format(name=f"Their{x}", service_type=x) for x in ("stamps", "tax")))
    place.package("their-sources", f"stamps = {place.home}_package:Theirstamps", f"tax = {place.home}_package:Theirtax")
    registry = place.registry(letters=f"{place.home}_other.all:Mine")
    assert [(one.service_type, one.source and one.source.__name__, one.found_in) for one in registry.listings()] == [
        ("letters", "Mine", "config.yml"),
        ("stamps", "OurStamps", "connectors/sources"),
        ("tax", "Theirtax", "package their-sources"),
    ]


def test_of_two_packages_with_one_name_always_the_same_counts(place: Place) -> None:
    for name in ("b-sources", "a-sources"):
        module = f"{place.home}_{name[0]}"
        place.module(module, SOURCE.format(name=name[0].upper(), service_type="letters"))
        place.package(name, f"letters = {module}:{name[0].upper()}")
    assert place.registry().listing("letters").package == "a-sources"


def test_an_entry_point_may_name_a_module_alone(place: Place) -> None:
    place.module(f"{place.home}_package", SOURCE.format(name="Theirs", service_type="letters"))
    place.package("their-sources", f"letters = {place.home}_package")
    assert place.registry().source("letters").__name__ == "Theirs"


def test_a_class_without_our_base_is_a_source_when_it_has_the_methods(place: Place) -> None:
    place.module(f"{place.home}/duck", DUCK)
    assert place.registry().source("duck").__name__ == "Duck"


def test_a_base_of_the_same_service_type_is_not_taken_for_the_source(place: Place) -> None:
    place.source("letters", "\n\nclass Special(Letters):\n    pass\n\n\nalias = Special\n")
    assert place.registry().source("letters").__name__ == "Special"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise ValueError('no luck')", "It can't be imported: ValueError: no luck (broken.py, line 1)."),
        ("import sys\nsys.exit()", "It can't be imported: SystemExit (broken.py, line 2)."),
        ("class Wild(BaseException): ...\nraise Wild", "It can't be imported: Wild (broken.py, line 2)."),
        ("def", "It can't be imported: SyntaxError: invalid syntax (broken.py, line 1)."),
        ("from json import nothing", "It can't be imported: ImportError: cannot import name 'nothing' from 'json'"),
        ("class Other:\n    service_type = 'other'", "{} has no class with the service_type 'broken'."),
        (
            "class A:\n    service_type = 'broken'\nclass B:\n    service_type = 'broken'",
            "{} has several classes with the service_type 'broken': A, B.",
        ),
        (
            "class A:\n    service_type = 'broken'",
            "A lacks fields, ping(), get_docs(), or datasets() and read().",
        ),
        (
            f"{BASE}class A(BaseDataSource):\n    service_type = 'broken'\n    def read(self): ...",
            "A lacks ping(), get_docs(), or datasets() and read().",
        ),
        (
            DUCK.replace('"duck"', '"broken"').replace('"str"', '"date"'),
            "It can't be imported: ConfigurationError: A field has no type 'date'.",
        ),
    ],
)
def test_what_can_not_be_used_is_listed_with_the_reason_and_disturbs_no_other(
    place: Place, text: str, reason: str
) -> None:
    place.module(f"{place.home}/broken", text)
    place.source("letters")
    broken, letters = place.registry().listings()
    expected = reason.format(f"{place.home}.broken")
    assert (broken.reason or "")[: len(expected)] == expected
    assert (broken.available, broken.source, broken.install) == (False, None, None)
    assert letters.available


def test_an_interruption_is_not_taken_for_a_broken_source(place: Place) -> None:
    place.module(f"{place.home}/letters", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        place.registry().listings()


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("{}_gone.letters:Letters", "The module {}_gone can't be found."),
        ("{}.gone:Letters", "The module {}.gone can't be found."),
        ("{}.letters:Gone", "{}.letters has no class Gone."),
        ("{}.letters:name", "{}.letters has no class name."),
    ],
)
def test_a_class_that_settings_name_in_vain_is_told_and_not_to_be_installed(
    place: Place, target: str, reason: str
) -> None:
    place.source("letters")
    listing = place.registry(mine=target.format(place.home)).listing("mine")
    assert (listing.reason, listing.install) == (reason.format(place.home), None)


def test_a_driver_that_an_import_misses_is_named_with_its_command(place: Place) -> None:
    place.source("letters", "import no_such_driver.deep\n")
    listing = place.registry().listing("letters")
    assert listing == Listing(
        *("letters", Origin.PROJECT, None, None),
        reason="The module no_such_driver can't be found.",
        install="pip install no_such_driver",
    )


def test_a_missing_part_of_a_package_is_not_installed_by_the_name_of_the_whole(place: Place) -> None:
    place.source("letters", "import email.no_such_part\n")
    listing = place.registry().listing("letters")
    assert (listing.reason, listing.install) == ("The module email.no_such_part can't be found.", None)


def test_declared_drivers_are_looked_for_and_the_class_is_known_without_them(place: Place) -> None:
    drivers = {"json": "json", "no_such": "No-Such>=2", "os.no_such": "part", "neither.this": "neither"}
    place.source("letters", f"Letters.drivers = {drivers}\n")
    listing = place.registry().listing("letters")
    assert listing.source is not None
    assert listing.reason == "The modules no_such, os.no_such, neither.this can't be found."
    assert listing.install == "pip install 'No-Such>=2' part neither"
    assert str(refusal(place.registry(), "letters")) == (
        "The source 'letters' of connectors/sources can't be used: "
        "The modules no_such, os.no_such, neither.this can't be found. "
        "Install it: pip install 'No-Such>=2' part neither"
    )


def test_a_driver_that_is_loaded_already_is_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "made_by_hand", ModuleType("made_by_hand"))  # it has no spec to find
    place.source("letters", "Letters.drivers = {'made_by_hand': 'made-by-hand'}\n")
    assert place.registry().listing("letters").available


def test_without_being_installed_there_is_no_extra_to_name() -> None:
    # Without any installed package, so the file alone: what else it is among needs some.
    code = "import runpy; it = runpy.run_path('connectors/registry/installation.py'); own = it['own_distribution'](); "
    code += "print(own, it['install_command']('x', ['driver'], own))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "None pip install driver\n"


def test_a_driver_that_is_ours_to_install_is_installed_by_our_extra(place: Place) -> None:
    place.source("tabular_files", "Letters.drivers = {'no_such': 'no-such'}\n")
    assert place.registry().listing("tabular_files").install == "pip install 'connectors[tabular-files]'"


def test_a_driver_of_an_installed_package_is_installed_by_its_own_extra(place: Place) -> None:
    for name in ("tax_files", "other"):
        place.module(f"{place.home}_{name}", "import no_such\n")
    place.package(
        "their-sources",
        f"tax_files = {place.home}_tax_files:Tax [tax-files]",
        f"other = {place.home}_other:Other",
        extras=("tax-files",),
    )
    registry = place.registry()
    assert registry.listing("tax_files").install == "pip install 'their-sources[tax-files]'"
    assert registry.listing("other").install == "pip install no_such"


def test_an_unknown_name_is_answered_with_the_nearest(place: Place) -> None:
    place.source("letters")
    error = refusal(place.registry(), "leters")
    assert (error.message, error.hint) == ("There is no source 'leters'.", "Did you mean letters?")
    assert refusal(place.registry(), "x").hint == "Known: letters."


def test_without_any_source_that_is_said(place: Place) -> None:
    assert refusal(place.registry(), "x").hint == "Known: none."


def test_a_broken_source_is_refused_with_its_reason(place: Place) -> None:
    place.module(f"{place.home}/letters", "raise ValueError('no luck')")
    error = refusal(place.registry(), "letters")
    assert error.message.endswith("ValueError: no luck (letters.py, line 1).")
    assert error.hint is None


def test_our_own_sources_are_all_there_and_named_after_their_files() -> None:
    files = {path.stem for path in (ROOT / "connectors" / "sources").glob("[!_]*.py")}
    listings = {one.service_type: one for one in Registry().listings() if one.origin is Origin.PROJECT}
    assert set(listings) == files
    assert {name: getattr(one.source, "service_type", None) for name, one in listings.items()} == {
        name: name for name in files
    }


def test_the_registry_imports_no_source_by_itself() -> None:
    code = (
        "import sys, connectors.registry; before = set(sys.modules); list(connectors.registry.Registry().places); "
        "print([name for name in set(sys.modules) - before if name.startswith('connectors.sources.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
