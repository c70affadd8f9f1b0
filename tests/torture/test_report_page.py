"""The report of torture tests: a run replaces what it tried anew, and keeps the rest."""

from pathlib import Path

from tests.torture.conftest import Report


def written(path: Path, *tests: str, happened: int) -> str:
    report = Report(path)
    for test in tests:
        report.add(test, f"A promise of {test}.", range(3, 5), {"kills": happened})
    report.write()
    return path.read_text(encoding="utf-8")


def test_a_run_of_some_tests_keeps_what_is_said_of_the_others(tmp_path: Path) -> None:
    page = tmp_path / "report.md"
    first = written(page, "Crashes", "Soaks", happened=1)
    assert first.count("- 1 kills.") == 2
    second = written(page, "Soaks", "Floods", happened=2)
    titles = [line for line in second.splitlines() if line.startswith("## ")]
    assert titles == ["## Crashes", "## Floods", "## Soaks"]
    crashes, floods, soaks = second.split("\n## ")[1:]
    assert ("- 1 kills." in crashes, "- 2 kills." in floods, "- 2 kills." in soaks) == (True, True, True)
    assert "2 rounds, seeds 3 to 4, on 2" in soaks
    assert written(page, happened=0) == second
