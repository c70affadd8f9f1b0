"""What the analysis and the sub-fields of a content index cost: `python -m benchmarks.spikes.content_index`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.embedded_corpus import Corpus
from benchmarks.embedded_servers import Elasticsearch, Server, running
from benchmarks.measure import rows
from connectors.engine.flavor import Flavor
from connectors.sync.index.content_index import NewIndex, content_index

COUNT = 20_000
BATCH = 1_000
ROUNDS = 5
PLAIN = ["lowercase", "asciifolding"]
FILTERS: Mapping[str, Any] = {
    "stem": {"type": "stemmer", "language": "english"},
    "starts": {"type": "edge_ngram", "min_gram": 1, "max_gram": 12},
    "pairs": {"type": "shingle", "output_unigrams": False},
    "parts": {"type": "word_delimiter_graph", "preserve_original": False, "catenate_all": True},
}
ANALYZERS: Mapping[str, Sequence[str]] = {
    "stem": [*PLAIN, "stem"],
    "prefix": [*PLAIN, "starts"],
    "joined": [*PLAIN, "pairs"],
    "delimiter": ["parts", *PLAIN, "stem"],
}


def with_fields(*names: str, longest: int = 256) -> NewIndex:
    """Return an index whose texts are analyzed as they are, and once more in each of these sub-fields."""
    fields: dict[str, Any] = {"keyword": {"type": "keyword", "ignore_above": longest}}
    for name in names:
        options = {"index_options": "docs"} if name == "prefix" else {}
        fields[name] = {"type": "text", "analyzer": name, **options}
    analyzers = {
        name: {"type": "custom", "tokenizer": "standard", "filter": chain}
        for name, chain in {"default": PLAIN, **ANALYZERS}.items()
    }
    templates = [{"texts": {"match_mapping_type": "string", "mapping": {"type": "text", "fields": fields}}}]
    return NewIndex({"analysis": {"filter": FILTERS, "analyzer": analyzers}}, {"dynamic_templates": templates})


def ways() -> dict[str, NewIndex]:
    """Return the indices that are compared; the first one is the yardstick."""
    ours = {name: content_index("docs", name, Flavor.ELASTICSEARCH) for name in ("universal", "en", "de", "fr")}
    return {
        "the engine's own way with new fields": NewIndex({}, {}),
        **{f"ours, {name}": index for name, index in ours.items()},
        "words as they are": with_fields(),
        "the same, keywords of up to 1,024": with_fields(longest=1_024),
        "and a field of stems": with_fields("stem"),
        "and one of beginnings": with_fields("stem", "prefix"),
        "and those of pairs and of parts": with_fields("stem", "prefix", "joined", "delimiter"),
    }


def load(server: Server, index: NewIndex, bodies: Sequence[bytes]) -> float:
    """Fill an index anew, and return the CPU time of the engine."""
    server.ask("DELETE", "/docs?ignore_unavailable=true")
    settings = {**index.settings, "number_of_replicas": 0, "refresh_interval": "30s"}
    server.ask("PUT", "/docs", json.dumps({"settings": settings, "mappings": index.mappings}).encode())
    before = server.cpu_s()
    server.load("docs", bodies, connections=2)
    server.ask("POST", "/docs/_forcemerge?max_num_segments=1")
    return server.cpu_s() - before


def size(server: Server) -> int:
    """Return the bytes that the index takes when it is one segment."""
    server.ask("POST", "/docs/_flush?force=true")
    server.ask("POST", "/docs/_refresh")
    stats = json.loads(server.ask("GET", "/docs/_stats/store"))
    return int(stats["_all"]["primaries"]["store"]["size_in_bytes"])


def main() -> None:
    """Print the table of decision 14."""
    bodies = Corpus().bodies(COUNT, 1_000, BATCH)
    compared = ways()
    times: dict[str, list[float]] = {name: [] for name in compared}
    sizes: dict[str, int] = {}
    with running(Elasticsearch) as server:
        for number in range(ROUNDS + 1):
            for name, index in compared.items():
                spent = load(server, index, bodies)
                sizes[name] = size(server)
                if number:  # the first round warms the node up
                    times[name].append(spent)
    base = next(iter(sizes.values()))
    print(
        "| texts | CPU of the engine, µs a document | ratio | index, MB | ratio |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for row in rows(times):
        cpu, mb = row.median / COUNT * 1e6, sizes[row.name] / 2**20
        print(f"| {row.name} | {cpu:.0f} | {row.ratio:.2f} | {mb:.1f} | {sizes[row.name] / base:.2f} |")


if __name__ == "__main__":
    main()
