"""The examples for CI are valid, name what exists, and cannot run a fork's code on somebody's GPU."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from energy import commands, exporters
from energy.analysis.compare.gate import parse_gate

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "energy.yml"
README = (ROOT / "README.md").read_text(encoding="utf-8")
GITLAB = re.findall(r"^<!-- ci: gitlab -->\n```yaml\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
JENKINS = re.findall(r"^<!-- ci: jenkins -->\n```groovy\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
EXAMPLES = [WORKFLOW.read_text(encoding="utf-8"), *GITLAB, *JENKINS]


@pytest.fixture(scope="module")
def jobs():
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]


def check(schema, path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_workflow_is_valid_by_githubs_schema():
    done = check("vendor.github-workflows", WORKFLOW)

    assert done.returncode == 0, done.stdout


def test_the_schema_would_have_refused_a_mistake(tmp_path):
    path = tmp_path / "energy.yml"
    path.write_text(EXAMPLES[0].replace("runs-on:", "run-on:", 1))

    assert check("vendor.github-workflows", path).returncode != 0


@pytest.mark.parametrize("text", GITLAB)
def test_the_gitlab_example_is_valid_by_gitlabs_schema(text, tmp_path):
    path = tmp_path / ".gitlab-ci.yml"
    path.write_text(text)

    done = check("vendor.gitlab-ci", path)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_names_only_what_exists(text, pytestconfig):
    options = set(re.findall(r"(--energy-[a-z-]+)", text))
    formats = re.findall(r"-m energy export (\w+)", text)
    limits = re.findall(r"--energy-fail[= ]'?([\w:.%<>=@]+)", text)

    for option in options:
        pytestconfig.getoption(option.removeprefix("--").replace("-", "_"))
    assert len(options) >= 3
    assert set(formats) <= set(exporters.names())
    assert set(re.findall(r"-m energy (\w+)", text)) <= set(commands.names())
    assert len([parse_gate(limit, "example") for limit in limits]) >= 3


def test_nothing_of_a_pull_request_starts_without_the_label(jobs):
    asked = yaml.safe_load(EXAMPLES[0])[True]  # YAML 1.1 reads "on" as true

    assert set(asked) == {"workflow_dispatch", "pull_request"}
    assert asked["pull_request"]["types"] == ["labeled", "synchronize"]
    for name in ("smoke", "gate"):
        assert "contains(github.event.pull_request.labels.*.name, 'energy')" in jobs[name]["if"]
    assert jobs["pin"]["if"] == "vars.ENERGY_RUNNER == 'true' && inputs.pin"


def test_code_of_a_fork_never_runs_on_the_own_runner_and_gets_no_right_to_write(jobs):
    own = {name: job for name, job in jobs.items() if "self-hosted" in job["runs-on"]}

    assert set(own) == {"gate", "pin"}
    assert "github.event.pull_request.head.repo.full_name == github.repository" in own["gate"]["if"]
    assert all(job["if"].startswith("vars.ENERGY_RUNNER == 'true' && ") for job in own.values())
    assert [name for name, job in jobs.items() if "permissions" in job] == ["pin"]
    assert yaml.safe_load(EXAMPLES[0])["permissions"] == {"contents": "read"}


def test_a_hosted_runner_gates_nothing(jobs):
    lines = [step.get("run", "") for step in jobs["smoke"]["steps"]]

    assert any("pytest benchmarks" in line for line in lines)
    assert not any("--energy-fail" in line or "--energy-compare" in line for line in lines)
