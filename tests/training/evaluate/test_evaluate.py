"""training evaluate and training vocode: end to end on a corpus of synthetic sounds, and the figures on their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import make_weights
from tiny_corpus import hiss, make_corpus, voice
from typer.testing import CliRunner

from model.checkpoint import load_detector
from monitor.cli.score import ScoreOptions, print_scores
from monitor.config.schema import Config, ModelSection
from training.cli import main
from training.corpora.bank import AudioBank, build_bank
from training.corpora.clips import Clip, CorpusError, load_manifest
from training.evaluate import plots
from training.evaluate.detection_metrics import eer
from training.evaluate.evaluate import score
from training.evaluate.part_figures import (
    SECONDS,
    Trials,
    by_kind,
    by_language,
    family_head,
    measure,
    of_part,
    part_names,
    reliability,
)
from training.evaluate.report_files import plain
from training.evaluate.report_page import _learned
from training.evaluate.scoring import score_clips
from training.evaluate.trials import check_channels, choose, through_channel

pytestmark = pytest.mark.slow

FAMILIES = ("signal-vocoder", "gan-vocoder", "end-to-end-tts")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus")).parent


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that takes hiss for synthetic, which is what the corpus's fakes have, and says gan-vocoder to all."""
    return make_weights(tmp_path_factory.mktemp("weights") / "hiss.safetensors")


def _trials(llr: list[float], label: list[int], **columns: list[str]) -> Trials:
    n = len(llr)
    clips = np.empty(n, dtype=np.object_)
    for i in range(n):
        texts = {"part": "lab", "system": "x", "family": "gan-vocoder"} | {k: v[i] for k, v in columns.items()}
        clips[i] = Clip(Path(f"{i}.wav"), label[i], speaker="", **texts)
    scores = np.array(llr)
    by_time = np.repeat(scores[:, None], len(SECONDS), axis=1)
    return Trials(clips, np.array(label), scores, np.eye(3)[np.arange(n) % 3], np.full(n, 2.0), by_time)


@pytest.fixture(scope="module")
def written(corpus: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder that the command wrote, and what it said."""
    out = tmp_path_factory.mktemp("out")
    words = ["evaluate", "--corpus", str(corpus), "--weights", str(weights), "--out", str(out), "--workers", "1"]
    words += ["--channel", "clean", "--channel", "narrow", "--cache", str(out / "cache"), "--rounds", "20"]
    done = CliRunner().invoke(main.app, [*words, "--device", "cpu"])
    assert done.exit_code == 0, done.output
    return out, done.output.splitlines()


def _report(out: Path) -> Any:
    return json.loads((out / "report.json").read_text())


def _scores(path: Path) -> dict[str, float]:
    return {name: float(score) for name, score in (line.split() for line in path.read_text().splitlines())}


def test_the_report_holds_what_the_detector_can_and_cannot(written: tuple[Path, list[str]]) -> None:
    found = _report(written[0])["channels"]
    assert set(found) == {"clean", "narrow"}
    assert set(found["clean"]) == {"lab", "wild", "all"}
    whole = found["clean"]["all"]["whole"]
    assert (whole["bonafide"], whole["spoof"]) == (12, 12)
    assert whole["figures"]["eer"] == {"value": 0.0, "low": 0.0, "high": 0.25}, "3 of 12: the rule of three"
    assert whole["figures"]["auc"]["value"] == 1.0
    assert (whole["missed"], whole["false_alarms"]) == (0.0, 0.0)
    assert found["narrow"]["all"]["whole"]["figures"]["auc"]["value"] < 0.9


def test_the_report_counts_families_systems_languages_and_seconds(written: tuple[Path, list[str]]) -> None:
    lab = _report(written[0])["channels"]["clean"]["lab"]
    assert {g["name"]: (g["bonafide"], g["spoof"]) for g in lab["families"]} == {
        "gan-vocoder": (8, 4),
        "signal-vocoder": (8, 4),
    }
    assert {g["name"] for g in lab["systems"]} == {"melgan", "world"}
    assert {g["name"]: (g["bonafide"], g["spoof"]) for g in lab["languages"]} == {"en": (4, 4), "fr": (4, 4)}
    assert [m["seconds"] for m in lab["over_time"]] == list(SECONDS)
    shares = [m["share"] for m in lab["over_time"]]
    assert shares[0] == 1.0
    assert shares[-1] == 0.0
    assert lab["family_head"]["clips"] == 8
    assert lab["family_head"]["accuracy"] == 0.5
    assert lab["without_speech"] == 0


def test_the_scores_are_those_of_the_streaming_step(
    written: tuple[Path, list[str]], corpus: Path, weights: Path, tmp_path: Path
) -> None:
    scores = _scores(written[0] / "scores.txt")
    clips = choose([corpus], "dev")
    assert list(scores) == [c.path.relative_to(corpus).as_posix() for c in clips]
    bank = build_bank(clips, tmp_path, 1, lambda *_: None)
    alone = [score_clips(load_detector(weights), [bank.clip(i)])[0].llr for i in range(len(clips))]
    np.testing.assert_allclose(list(scores.values()), alone, atol=1e-5)
    labels = np.array([c.label for c in clips])
    narrow = np.array(list(_scores(written[0] / "scores-narrow.txt").values()))
    stated = _report(written[0])["channels"]["narrow"]["all"]["whole"]["figures"]["eer"]["value"]
    assert stated == pytest.approx(eer(narrow, labels), abs=1e-4)


def test_the_command_score_says_the_same_of_a_file(
    written: tuple[Path, list[str]], corpus: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--corpus", str(corpus), "--weights", str(weights), "--out", str(tmp_path / "out")]
    words += ["--workers", "1", "--channel", "clean", "--cache", str(tmp_path), "--rounds", "20", "--device", "cpu"]
    done = CliRunner().invoke(main.app, [*words, "--as-recorded"])
    assert done.exit_code == 0, done.output
    evaluated = _scores(tmp_path / "out" / "scores.txt")
    assert evaluated != _scores(written[0] / "scores.txt"), "the level of a clip says a little"
    files = [corpus / name for name in evaluated]
    assert print_scores(files, Config(model=ModelSection(weights=str(weights))), ScoreOptions(json_lines=True)) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["path"] for line in lines] == [str(f) for f in files]
    np.testing.assert_allclose([line["llr"] for line in lines], list(evaluated.values()), atol=2e-5)


def test_the_page_stands_alone_and_names_everything(written: tuple[Path, list[str]]) -> None:
    out, result = written
    page = (out / "report.html").read_text()
    pictures = sorted(p.name for p in out.glob("*.png"))
    assert pictures == sorted(f"{name}.png" for name in (*plots.PICTURES, "embedding"))
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "http" not in page
    for word in ("melgan", "vits", "signal-vocoder", "narrow", "hiss.safetensors", "EER", "Cllr", "bona fide"):
        assert word in page
    assert any(line.startswith("clean           lab") for line in result)
    assert any("clips scored: 24 of 24" in line for line in result)
    assert result[-1] == f"wrote {out / 'report.html'}"


def test_a_detector_that_hears_no_speech_is_measured_without_a_fault(corpus: Path, tmp_path: Path) -> None:
    detector = load_detector(make_weights(tmp_path / "deaf.safetensors", hears_speech=False))
    bank = build_bank(choose([corpus], "dev"), tmp_path, 1, lambda *_: None)
    trials = score(detector, bank, lambda _: None, "clean", size=7)
    lab = measure(of_part(trials, "lab"), "lab", FAMILIES, rounds=20)
    assert lab.without_speech == 16
    assert lab.whole.figures["eer"].value == 0.5
    assert lab.whole.figures["cllr"].value == 1.0
    assert lab.family_head is None
    assert plots.confusion({"clean": trials}, {"clean": {"lab": lab}}) is None


def test_scores_over_time_end_with_the_score_of_the_clip(weights: Path) -> None:
    detector = load_detector(weights)
    quiet = voice(1, 4.0)
    turning = quiet + np.concatenate([np.zeros(32_000), hiss(1, 32_000)])
    audio = np.concatenate([quiet, turning, quiet[:8000]])
    audio = np.round(audio * 32768).astype(np.int16)
    clips = [Clip(Path(f"{i}.wav"), i, "", "", "") for i in range(3)]
    trials = score(detector, AudioBank(clips, audio, np.array([0, 64_000, 128_000, 136_000])), lambda _: None, "clean")
    assert (trials.net_speech_s[:2] > SECONDS[-1]).all()
    np.testing.assert_allclose(trials.by_time[1, :3], trials.by_time[0, :3], atol=1e-6)
    assert trials.by_time[1, 5] > trials.by_time[0, 5] + 1.0
    np.testing.assert_allclose(trials.by_time[2, 1:], trials.llr[2])


def test_kinds_are_measured_against_all_bona_fide_clips() -> None:
    trials = _trials([-2, -1, 1, -3, 2, 3], [0, 0, 0, 1, 1, 1], system=["bonafide"] * 3 + ["weak", "strong", "strong"])
    weak, strong = by_kind(trials, "system", rounds=20)
    assert (weak.name, weak.bonafide, weak.spoof, weak.missed) == ("weak", 3, 1, 1.0)
    assert (strong.name, strong.bonafide, strong.spoof, strong.missed) == ("strong", 3, 2, 0.0)
    assert weak.figures["eer"].value == 1.0
    assert strong.figures["eer"].value == 0.0
    assert strong.false_alarms == pytest.approx(1 / 3)


def test_a_language_with_one_class_has_counts_and_no_error_rate() -> None:
    trials = _trials([-1, 1, -1], [0, 1, 0], language=["en", "en", "fr"])
    english, french = by_language(trials, rounds=20)
    assert (english.name, english.figures["eer"].value) == ("en", 0.0)
    assert (french.name, french.bonafide, french.spoof) == ("fr", 1, 0)
    assert np.isnan(french.figures["eer"].value)
    assert np.isnan(french.missed)
    assert plain(french)["figures"]["eer"] == {"value": None, "low": None, "high": None}


def test_the_family_head_is_judged_on_families_that_it_knows() -> None:
    kinds = ["bonafide", "gan-vocoder", "gan-vocoder", "signal-vocoder", "unheard-of"]
    trials = _trials([0] * 5, [0, 1, 1, 1, 1], family=kinds)
    head = family_head(trials, FAMILIES)
    assert head is not None
    assert head.clips == 3
    assert head.confusion == ((1, 0, 0), (0, 1, 1), (0, 0, 0))
    assert head.accuracy == pytest.approx(2 / 3)
    assert head.balanced_accuracy == pytest.approx((1 / 2 + 1) / 2)
    assert family_head(_trials([0], [1], family=["unheard-of"]), FAMILIES) is None


def test_true_ratios_lie_on_the_diagonal_whatever_the_share_of_spoofs() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], (12_000, 3_000))
    llr = 2.0 * (rng.standard_normal(15_000) + 2.0 * label) - 2.0
    n = len(llr)
    trials = Trials(np.empty(n, dtype=np.object_), label, llr, np.zeros((n, 3)), np.ones(n), np.zeros((n, 6)))
    bins = reliability(trials)
    assert sum(b.clips for b in bins) == n
    assert max(abs(b.predicted - b.observed) for b in bins) < 0.04
    shifted = Trials(trials.clips, label, llr + 2.0, trials.families, trials.net_speech_s, trials.by_time)
    assert max(abs(b.predicted - b.observed) for b in reliability(shifted)) > 0.2


def test_parts_need_both_classes() -> None:
    def clip(part: str, label: int) -> Clip:
        return Clip(Path("x"), label, "", "", "", part=part)

    assert part_names([clip("lab", 0), clip("lab", 1)]) == ["lab"]
    assert part_names([clip("", 0), clip("", 1)]) == ["all"]
    assert part_names([clip(p, n) for p in ("lab", "wild") for n in (0, 1)]) == ["lab", "wild", "all"]
    assert part_names([clip("lab", 0), clip("lab", 1), clip("more", 1)]) == ["lab", "all"]
    trials = _trials([0, 1, 2], [0, 1, 1], part=["lab", "lab", "more"])
    assert len(of_part(trials, "lab").llr) == 2
    assert len(of_part(trials, "all").llr) == 3
    assert measure(of_part(trials, "lab"), "lab", FAMILIES, 20).whole.spoof == 1


def test_splits_are_chosen_by_name_or_held_out_by_speaker(corpus: Path, tmp_path: Path) -> None:
    dev, train, everything = (choose([corpus], split) for split in ("dev", "train", "all"))
    assert {c.split for c in dev} == {"dev"}
    assert len(dev) == len(train) == len(everything) // 2 == 24
    with pytest.raises(
        CorpusError, match="split 'test' needs bona fide and spoof clips and has 0 clips; there are dev"
    ):
        choose([corpus], "test")
    rows = [f"{s}-{i}.wav,{label},s{s}" for s in range(60) for i, label in enumerate(("bonafide", "spoof"))]
    (tmp_path / "m.csv").write_text("path,label,speaker\n" + "\n".join(rows) + "\n")
    held = choose([tmp_path / "m.csv"], "dev")
    assert 2 <= len({c.speaker for c in held}) <= 15


def test_a_manifest_of_its_own_reads_from_the_corpus(corpus: Path, tmp_path: Path) -> None:
    lines = (corpus / "manifest.csv").read_text().splitlines()
    (tmp_path / "list.csv").write_text("\n".join(lines[:3]) + "\n")
    clips = choose([corpus], "all", tmp_path / "list.csv")
    assert clips == load_manifest(corpus / "manifest.csv")[:2]
    with pytest.raises(CorpusError, match="belongs to one corpus"):
        choose([corpus, corpus], "all", tmp_path / "list.csv")


@pytest.mark.parametrize("channel", ["g711-mu", "loss-repeat"])
def test_clips_of_one_sentence_meet_the_same_channel(channel: str, tmp_path: Path) -> None:
    one = np.round(voice(5, 0.5) * 32768).astype(np.int16)
    clips = [Clip(Path(f"{i}.wav"), i % 2, "", "", "", pair=pair) for i, pair in enumerate("aabbccdd")]
    bank = AudioBank(clips, np.tile(one, 8), np.arange(9) * len(one))
    calls: list[str] = []
    heard = through_channel(bank, channel, tmp_path, 1, calls.append)
    for i in range(0, 8, 2):
        np.testing.assert_array_equal(heard.clip(i), heard.clip(i + 1))
    assert len({heard.clip(i).tobytes() for i in range(8)}) > 1
    assert calls[-1] == f"{channel}, clips rendered: 8 of 8"
    again = through_channel(bank, channel, tmp_path, 1, calls.append)
    assert len(calls) == 1
    np.testing.assert_array_equal(again.audio, heard.audio)
    assert through_channel(bank, "clean", tmp_path, 1, calls.append) is bank


def test_an_unknown_channel_is_named() -> None:
    with pytest.raises(CorpusError, match="no channel fax; there are clean, narrow"):
        check_channels(["clean", "fax"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["evaluate", "--corpus", "nowhere"], "there is no folder nowhere"),
        (
            ["evaluate", "--corpus", "CORPUS", "--weights", "gone.safetensors"],
            "there is no weights file gone.safetensors",
        ),
        (["evaluate", "--corpus", "CORPUS", "--channel", "fax"], "no channel fax"),
        (["evaluate", "--corpus", "CORPUS", "--split", "test"], "split 'test'"),
        (["vocode", "CORPUS", "--out", "new", "--system", "x"], "no vocoder x"),
        (["vocode", "EMPTY", "--out", "new"], "holds no audio files"),
    ],
)
def test_faults_end_with_one_line(
    words: list[str],
    says: str,
    corpus: Path,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    places = {"CORPUS": str(corpus), "EMPTY": "empty"}
    words = [places.get(word, word) for word in words]
    if words[0] == "evaluate" and "--weights" not in words:
        words += ["--weights", str(weights)]
    monkeypatch.setattr(sys, "argv", ["training", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    result = capsys.readouterr().err.strip().splitlines()
    assert len(result) == 2
    assert result[0].startswith("error: ")
    assert says in result[0]
    assert result[1].startswith("  ")


@pytest.mark.parametrize(("device", "says"), [("tpu", "auto, cpu, cuda or mps"), ("mps", "has no mps device")])
def test_devices_that_are_not_there_are_refused(device: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    done = CliRunner().invoke(main.app, ["evaluate", "--corpus", "x", "--device", device])
    assert done.exit_code == 2
    assert says in done.output


def test_the_command_vocodes_and_what_it_wrote_can_be_evaluated(corpus: Path, tmp_path: Path) -> None:
    words = ["vocode", str(corpus / "lab" / "bonafide"), "--out", str(tmp_path / "new"), "--workers", "1"]
    done = CliRunner().invoke(main.app, [*words, "--system", "lpc", "--system", "channel", "--per-clip", "1"])
    assert done.exit_code == 0, done.output
    clips = choose([tmp_path / "new"], "all")
    assert sum(c.label for c in clips) == 16
    assert {c.system for c in clips} == {"bonafide", "lpc", "channel"}
    assert all(c.path.is_file() for c in clips)
    listed = CliRunner().invoke(
        main.app, ["vocode", str(corpus), "--out", str(tmp_path / "b"), "--system", "lpc", "--workers", "1"]
    )
    assert listed.exit_code == 0, listed.output
    assert sum(c.label for c in choose([tmp_path / "b"], "all")) == 24


def test_vocoding_one_split_makes_a_part_with_sentences_of_its_own(corpus: Path, tmp_path: Path) -> None:
    words = ["vocode", str(corpus), "--out", str(tmp_path / "new"), "--system", "lpc", "--workers", "1"]
    done = CliRunner().invoke(main.app, [*words, "--split", "dev", "--part", "extra"])
    assert done.exit_code == 0, done.output
    before, after = choose([corpus], "all"), choose([tmp_path / "new"], "all")
    real = [c for c in before if c.split == "dev" and c.label == 0]
    assert 0 < len(real) < sum(c.label == 0 for c in before)
    assert len(after) == 2 * len(real)
    assert {(c.part, c.split) for c in after} == {("extra", "dev")}
    assert {c.pair for c in after}.isdisjoint(c.pair for c in before)
    assert len({c.pair for c in after}) == len({c.pair for c in real})


def test_what_weights_learned_from_is_told_of_each_of_their_trainings() -> None:
    one, two = ({"hours": hours, "speakers": 9, "steps": 7, "command": "training train"} for hours in (1.5, 2.0))
    assert _learned(one) == ["1.5 hours, 9 speakers, 7 steps"]
    both = {"side by side": ["a", "b"], "lineage": {"b": two, "a": one, "c": one}}
    assert _learned(both) == ["1.5 hours, 9 speakers, 7 steps", "2.0 hours, 9 speakers, 7 steps"]
    assert _learned({}) == []
