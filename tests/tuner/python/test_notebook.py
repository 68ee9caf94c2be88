"""The six lines of the README in a notebook, in a real kernel."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[3]


def run(*cells: str) -> list[nbformat.NotebookNode]:
    """The cells with their outputs, after a kernel has run them."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    )
    client.execute()
    return notebook.cells


def text(cell: nbformat.NotebookNode) -> str:
    """All that a cell shows, as text."""
    shown = []
    for output in cell.outputs:
        shown.append(output.get("text", ""))
        shown.append(output.get("data", {}).get("text/plain", ""))
    return "\n".join(shown)


@pytest.mark.long
@pytest.mark.shared_cache
def test_a_search_in_a_notebook_shows_progress_and_its_model_predicts(write_config, drawn):
    path = write_config(search={"trials": 2})
    _, searched, best, predicted, listed = run(
        "from tuner import Config, search, load_model, open_results\n"
        f"config = Config.load({str(path)!r}, {{'search.seed': 1}})",
        "result = search(config)",
        "result.best",
        f"table = load_model(result.best).predict({str(drawn)!r})\nprint(len(table), *table.columns)",
        "print(len(open_results(config.results_url).trials('small')), result.interrupted)",
    )
    shown = text(searched)
    assert "96 labelled frames of 4 videos" in shown
    assert "model 0" in shown and "model 1" in shown
    assert "Traceback" not in shown and "Warning" not in shown
    assert "model_id" in text(best)
    assert text(predicted).split()[0] == "96"
    assert {"noseal", "seal", "prediction", "time"} <= set(text(predicted).split())
    assert text(listed).split() == ["2", "False"]
