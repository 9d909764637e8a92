import json

from typer.testing import CliRunner

from apportion.cli import app

RUNNER = CliRunner()


def test_the_study_writes_its_table_and_figure_and_resumes(tmp_path):
    words = ["study", "synthetic", "--worlds", "few_steps/2", "--policies", "round_robin", "--runs", "3"]
    words += ["--tuning-runs", "2", "--no-ablations", "--no-same-signal", "--workers", "1", "--out", str(tmp_path)]
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "estimand: run" in text
    assert "counterfactual closes" in text
    assert (tmp_path / "synthetic.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((tmp_path / "synthetic.json").read_text())
    jobs = (tmp_path / "jobs.jsonl").read_bytes()
    again = RUNNER.invoke(app, [*words, "--json"])
    assert json.loads(again.output)["table"] == written["table"]
    assert (tmp_path / "jobs.jsonl").read_bytes() == jobs  # nothing was simulated again
    assert {row["label"] for row in written["table"]} == {"counterfactual", "uniform", "round_robin"}
    assert {row["world"] for row in written["rows"]} == {"all", "few_steps/2"}


def test_wrong_usage_is_one_sentence(tmp_path):
    for words, message in (
        (["--worlds", "few_stepz"], "did you mean 'few_steps'"),
        (["--policies", "exp4"], "no policy named 'exp4'"),
        (["--split", "secret"], "`split` must be one of"),
    ):
        result = RUNNER.invoke(app, ["study", "synthetic", *words, "--out", str(tmp_path)])
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())
