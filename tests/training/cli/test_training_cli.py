"""The command line of `training`: recipes, help, and what it says of mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import pytest
import typer

from model.checkpoint import describe
from model.config import FeatureConfig, NetworkConfig
from training.baseline.baseline_settings import BaselineSettings
from training.cli import main
from training.cli.baseline import BaselineOptions
from training.cli.train_options import TrainOptions
from training.learn.settings import TrainConfig

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "training" / "recipes"
SHIPPED = {"c2": "03800877ad2e", "m2": "d5c669d03078", "s1": "8efc783e9c9c", "d1": "3644713fd0ab"}
SHIPPED |= {"s2": "dfd5fe2f5379", "g1": "4983e3143028"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `training` with these words; returns what would have been trained, or the error."""
    ran: list[tuple[Any, ...]] = []
    monkeypatch.setattr("training.learn.prepare.run", lambda *values: ran.append(values))

    def run(*words: str) -> Any:
        status = main.run_cli(words)
        result = capsys.readouterr()
        if status == 0:
            return ran[-1]
        assert not result.out
        return status, result.err.splitlines()

    return run


@pytest.mark.parametrize("name", SHIPPED)
def test_the_recipes_are_what_the_shipped_weights_were_trained_with(name: str, read: Any) -> None:
    lineage = json.loads(describe(ROOT / "model" / "weights" / "default.safetensors")["training"])["lineage"]
    (recorded,) = [entry for digest, entry in lineage.items() if digest.startswith(SHIPPED[name])]
    model, config, plan, _ = read("train", str(RECIPES / f"{name}.toml"))
    settings = json.loads(json.dumps(asdict(config)))
    for key, value in recorded["settings"].items():
        if key not in ("loss", "augment"):
            assert settings.get(key, 0.0) == value, f"{key}; one that is gone since was not used"
    loss = recorded["settings"]["loss"]
    assert {key: settings["loss"][key] for key in loss} == loss
    given = recorded["command"].split()
    options = {word: given[i + 1] for i, word in enumerate(given[:-1]) if word.startswith("--")}
    weights = {k: float(v) for k, _, v in (part.partition("=") for part in options["--part-weights"].split(","))}
    assert plan.part_weights == weights
    assert plan.versions == int(options["--versions"])
    assert model.network.dropout == float(options["--dropout"])
    assert plan.shared_speakers
    assert bool(plan.start) == ("--start" in options)
    assert len(plan.teachers) == given.count("--teacher")
    assert model.features.kind == options.get("--features", "linear")
    if "--channels" in options:
        assert ",".join(map(str, model.network.channels)) == options["--channels"]
        assert model.network.hidden == int(options["--hidden"])


def test_an_option_goes_before_the_recipe(read: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text('corpus = ["a", "b"]\nout = "runs/x"\nlearning-rate = 0.5\nrows = 8\nband = [100, 3900]\n')
    model, config, plan, _ = read("train", str(recipe), "--rows", "6", "--corpus", "c")
    assert (config.learning_rate, config.rows) == (0.5, 6)
    assert plan.corpora == [Path("c")]
    assert (model.features.f_min, model.features.f_max) == (100.0, 3900.0)
    assert read("train", str(recipe))[2].corpora == [Path("a"), Path("b")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("learning_rat = 1", "unknown option 'learning_rat'; did you mean 'learning_rate'?"),
        ("rows = 'many'", "--rows"),
        ("rows = 1", "--rows"),
        ("channels = ['x']", "--channels"),
        ("part_weights = 'lab=x'", "--part-weights"),
        ("family_weights = 'gan-vocoder=x'", "--family-weights"),
        ("hard_sources = 'wild'", "--hard-sources: it needs --start"),
        ("rows = ", "is not TOML"),
        ("", "missing option '--corpus'"),
    ],
)
def test_a_recipe_that_cannot_be_is_one_error(text: str, says: str, read: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(f"{text}\n" + ('corpus = ["a"]\nout = "x"\n' if text else ""))
    status, (error, hint) = read("train", str(recipe))
    assert status == 2
    assert error.startswith("error: ")
    assert says in error
    assert hint == "  see training train --help"


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (["trian"], "no such command 'trian'. Did you mean 'train'?", "see training --help"),
        (["train", "--steeps", "4"], "no such option: --steeps. Did you mean ", "see training train --help"),
        (["train", "none.toml"], "none.toml: no such file", "see training train --help"),
        (["baseline", "--features", "mel"], "no such option: --features", "see training baseline --help"),
        (["average", "a"], "missing option '--corpus'", "see training average --help"),
        (["shortcuts", "--corpus", "nowhere"], "there is no folder nowhere", "see training shortcuts --help"),
        (["channels", "none.wav"], "none.wav", ""),
    ],
)
def test_a_mistake_is_two_lines(words: list[str], says: str, hint: str, read: Any) -> None:
    status, (error, second) = read(*words)
    assert status == 2
    assert error.startswith("error: ")
    assert says in error
    assert second.startswith("  " + hint)


def test_the_help_names_every_command_and_loads_nothing_heavy() -> None:
    program = f"""
import json, sys
from training.cli.main import run_cli
status = [run_cli([word, "-h"]) for word in {list(main.COMMANDS)!r}] + [run_cli(["-h"])]
print(json.dumps([status, [m for m in ("torch", "numpy", "scipy", "matplotlib", "sklearn") if m in sys.modules]]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    status, heavy = json.loads(run.stdout.splitlines()[-1])
    assert (set(status), heavy) == ({0}, [])
    printed = " ".join(run.stdout.split())
    for name, (_, line) in main.COMMANDS.items():
        assert f" {name} {line}" in printed


def test_every_option_is_explained() -> None:
    group = typer.main.get_command(main.app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for option in command.params:
            assert option.help, f"{name} {option.name}"


def test_defaults_are_those_of_the_settings() -> None:
    """What an option and a setting both name has one default."""
    own = {f.name: f.default for f in fields(TrainOptions)}
    for kind in (TrainConfig, FeatureConfig, NetworkConfig):
        for field in fields(kind):
            if field.name in own and field.default is not MISSING and field.name not in ("channels", "kind"):
                assert own[field.name] == field.default, field.name
    theirs = {f.name: f.default for f in fields(BaselineOptions)}
    for field in fields(BaselineSettings):
        assert theirs[field.name] == field.default, field.name
