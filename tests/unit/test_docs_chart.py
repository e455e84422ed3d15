"""The chart's README is made from its values, so that `helm show readme` explains every setting."""

from pathlib import Path

import yaml

from documentation.chart_readme import CHART, lines


def test_it_is_the_generated_one() -> None:
    generated = list(lines(CHART / "values.yaml"))
    assert (CHART / "README.md").read_text().splitlines() == generated, "`make reference` writes it"


def test_a_setting_is_explained_by_its_comments(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(
        '# One.\n# Two.\na: [] # three\n\n# Of all.\nb:\n  c:\n    d: {e: 1}\n  # Either | or.\n  f: "#"\n'
    )
    rows = [line for line in lines(values) if line.startswith("| `")]
    assert rows == [
        "| `a` | `[]` | One. Two.; three |",
        "| `b` |  | Of all. |",
        "| `b.c.d` | `{e: 1}` |  |",
        r'| `b.f` | `"#"` | Either \| or. |',
    ]


def test_every_setting_is_listed() -> None:
    def paths(node: object, prefix: str = "") -> set[str]:
        if not isinstance(node, dict) or not node or prefix.endswith(("requests.", "limits.")):
            return {prefix.removesuffix(".")}
        return {path for key, value in node.items() for path in paths(value, f"{prefix}{key}.")}

    readme = (CHART / "README.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    shown = {line.split("`")[1] for line in readme.splitlines() if line.startswith("| `")}
    assert [path for path in sorted(paths(values)) if not any(path.startswith(each) for each in shown)] == []
