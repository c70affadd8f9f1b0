import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.filtering.rules import Rules
from connectors.sync.document.shape import Recipe, Shape
from connectors.sync.index.pipeline import Pipeline

ROOT = Path(__file__).parents[2]
SHAPE = Shape("sqlite", {"a": 1, "b": ["x"]}, [{"query": "select 1"}], Pipeline("p"), {"language": "de"})
RULE: dict[str, Any] = {"id": "1", "policy": "exclude", "field": "a", "rule": "equals", "value": "x", "order": 1}
OTHER = {**RULE, "id": "2", "policy": "include", "order": 2}


def recipe(*rules: dict[str, Any], shape: Shape = SHAPE) -> str:
    return Recipe(shape, Rules.of(list(rules))).digest


@pytest.mark.parametrize(
    "change",
    [
        {"service_type": "mysql"},
        {"configuration": {"a": 2, "b": ["x"]}},
        {"advanced_rules": [{"query": "select 2"}]},
        {"pipeline": None},
        {"pipeline": Pipeline("q")},
        {"pipeline": Pipeline("p", extract_binary_content=False)},
        {"pipeline": Pipeline("p", reduce_whitespace=False)},
        {"pipeline": Pipeline("p", run_ml_inference=False)},
        {"extraction": {"language": "fr"}},
        {"formats": {"document": 2, "mark": 1}},
    ],
    ids=str,
)
def test_whatever_shapes_documents_is_another_shape(change: dict[str, Any]) -> None:
    other = replace(SHAPE, **change)
    assert other.seed != SHAPE.seed
    assert recipe(shape=other) != recipe()
    shapes_contents = bool(change.keys() & {"extraction", "formats"})
    assert (other.content_seed != SHAPE.content_seed) is shapes_contents


def test_the_order_of_settings_makes_no_other_shape() -> None:
    assert replace(SHAPE, configuration={"b": ["x"], "a": 1}).seed == SHAPE.seed


def test_basic_rules_make_another_recipe_and_no_other_shape() -> None:
    found = [recipe(*rules) for rules in ([], [RULE], [OTHER], [RULE, OTHER])]
    found += [recipe({**RULE, **change}) for change in ({"field": "b"}, {"rule": "contains"}, {"value": "y"})]
    found.append(recipe({**RULE, "order": 3}, OTHER))
    assert len({*found}) == len(found)


def test_what_decides_nothing_about_documents_makes_no_other_recipe() -> None:
    default = {"id": "DEFAULT", "policy": "include", "field": "_", "rule": "regex", "value": ".*", "order": 0}
    assert recipe({**RULE, "id": "9", "order": 7, "created_at": "2024-01-01"}, default) == recipe(RULE)
    assert recipe(OTHER, RULE) == recipe(RULE, OTHER)


def test_a_shape_and_a_recipe_are_the_same_in_every_process() -> None:
    code = (
        "from connectors.sync.index.pipeline import Pipeline; from connectors.sync.document.shape import Recipe, Shape;"
        "s = Shape('sqlite', {'a': 1, 'b': ['x']}, [{'query': 'select 1'}], Pipeline('p'), {'language': 'de'});"
        "print(s.seed, s.content_seed, Recipe(s).digest)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(SHAPE.seed), str(SHAPE.content_seed), Recipe(SHAPE).digest]
    assert (SHAPE.seed, Recipe(SHAPE).digest) == (
        6149388177463819275,
        "378e94297f845778b4326b527be4fdbe",
    )  # another value voids every mark


def test_a_pipeline_names_its_flags_as_kibana_does() -> None:
    assert Pipeline("p", reduce_whitespace=False).fields == {
        "_extract_binary_content": True,
        "_reduce_whitespace": False,
        "_run_ml_inference": True,
    }
