"""The page that `vector_search.py` writes: machine, command, one table per size, the trade-off."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _report import command_line
from _vector_worker import RECALL_ASKED, K
from engines import ENGINES

OURS = {ENGINES[name][0] for name in ("ours", "ours-fused")}
PROCESSOR_TIME = (
    "Other work ran beside: all times, also the p99, are seconds that the engine's processes computed, on all cores",
    "together, not those that they waited.",
)
TRADE_OFF = """
## The trade-off

A float16 vector of 256 dimensions takes 512 bytes. The graph adds 4 bytes per link, 32 links in the lowest layer and
about 16 more bytes per vector: 1.28 times the raw vectors, whatever the number of vectors. Eight bits per component
would halve the vectors, and rounding alone then loses 2 to 8 of 100 neighbours, which no wider beam brings back;
putting them right again needs the float16 vectors beside the graph, so the sum is larger, not smaller. Twice the links
would cost 1.53 times the raw vectors. What is left to trade is time: a wider
beam while building is paid once, a wider beam while searching with every query.

The file is mapped, not read: opening costs the checksum, processes that serve the same collection share one copy of
it, and the system may drop its pages when memory is short.
"""


def as_markdown(sections: list[tuple[int, str, list[dict[str, Any]]]]) -> str:
    """Write the report: machine, command, one table per size, the trade-off."""
    versions = {
        name: of for _, _, results in sections for row in results for name, of in row.get("versions", {}).items()
    }
    packages = ", ".join(f"{name} {of}" for name, of in {**versions, "numpy": version("numpy")}.items())
    lines = [
        "# Vector search: engines compared",
        "",
        f"Machine: {processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}.",
        f"Packages: {packages}.",
        "",
        f"`{command_line()}`",
        "",
        f"Every engine holds the same vectors and answers the same 1,000 queries, none of which is in it, with {K}",
        f"neighbours. Its dial is turned to the first setting that reaches recall@{K} of {RECALL_ASKED}, or to its",
        "last; ours has no dial here but its default. Batches use every core there is; LanceDB is asked one by one.",
        "Memory is the resident size gained by opening the index and searching it in a fresh process, mapped files and",
        "processes of its own included; *x raw* divides it by the bytes of the vectors in float16.",
        *PROCESSOR_TIME[: 2 * any(row.get("clock") == "processor" for _, _, results in sections for row in results)],
        "With `--fresh search`, building was timed by the earlier run that built, and all searches by this one.",
    ]
    for count, about, results in sections:
        lines += ["", f"## {count:,} vectors", "", about, "", *table(results)]
    return "\n".join([*lines, TRADE_OFF])


def table(results: list[dict[str, Any]]) -> list[str]:
    head = f"| engine | setting | recall@{K} | p50 ms | p99 ms | batch queries/s | speed, ours = 1 | build s |"
    lines = [head + " memory MB | x raw | file MB |", "|---|" + "---:|" * 10]
    ours = next((row["batch_per_second"] for row in results if row["name"] in OURS), float("nan"))
    for row in results:
        if "given_up_minutes" in row:
            lines.append(f"| {row['name']} | not built in {row['given_up_minutes']:g} minutes |" + " |" * 9)
            continue
        memory = row["memory_bytes"]
        lines.append(
            f"| {row['name']} | {row['setting'] or ''} | {row['recall']:.4f} | {row['p50_ms']:.2f} "
            f"| {row['p99_ms']:.2f} | {row['batch_per_second']:,.0f} | {row['batch_per_second'] / ours:.3f} "
            f"| {row['build_seconds']:,.0f} | {memory / 1e6:,.0f} | {memory / row['raw_bytes']:.2f} "
            f"| {row['file_bytes'] / 1e6:,.0f} |"
        )
    return lines


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()
