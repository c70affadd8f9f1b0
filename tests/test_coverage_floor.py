"""The floor of coverage: what is below it is named, and what no test imports is at zero."""

from pathlib import Path

from coverage import Coverage

from tests.coverage_floor import below

HALF = "def covered():\n    return 1\n\n\ndef never():\n    one = 1\n    two = 2\n    return one + two\n\n\ncovered()\n"


def test_what_is_covered_too_little_is_named(tmp_path: Path) -> None:
    sources = tmp_path / "connectors" / "sources"
    sources.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    contents = {"__init__": '"""Sources."""\n', "half": HALF, "never": HALF, "whole": "ONE = 1\nTWO = 2\n"}
    for name, text in contents.items():
        (sources / f"{name}.py").write_text(text)
    coverage = Coverage(data_file=str(tmp_path / ".coverage"), config_file=False, include=[f"{sources}/*"])
    with coverage.collect():
        for name in ("half", "whole"):
            path = sources / f"{name}.py"
            exec(compile(path.read_text(), str(path), "exec"), {})
    coverage.save()
    found = below(tmp_path, tmp_path / ".coverage")
    assert {name: round(covered) for name, covered in found.items()} == {
        "connectors/sources/half.py": 57,
        "connectors/sources/never.py": 0,
    }
