"""A subscriber that nobody here wrote: node with the package zeromq from npm, over an encrypted stream."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from helpers import Running, environment
from test_delivery import Publisher

from monitor.delivery import keys

pytestmark = pytest.mark.realtime

PACKAGE = "zeromq@6.8.0"
HOME = Path(os.environ.get("NODE_ZEROMQ_DIR", Path(tempfile.gettempdir()) / "monitor-tests-node-zeromq"))
"""Outside of the repository, and kept for the next run."""

PROGRAM = """
const zmq = require("zeromq")
const [stream, replay, curveServerKey, curvePublicKey, curveSecretKey] = process.argv.slice(2)
const curve = {curveServerKey, curvePublicKey, curveSecretKey, linger: 0}
async function run() {
  const alerts = new zmq.Subscriber(curve)
  alerts.connect(stream)
  alerts.subscribe("alert.", "health")
  for await (const [topic, body] of alerts) {
    const event = JSON.parse(body)
    if (event.code === "heartbeat") console.log(JSON.stringify({ready: event.last_seq}))
    if (event.type !== "alert.opened") continue
    console.log(JSON.stringify({topic: topic.toString(), p_fake: event.p_fake}))
    break
  }
  alerts.close()
  const missed = new zmq.Request(curve)
  missed.connect(replay)
  await missed.send(JSON.stringify({request: "replay", from: 1, topics: ["score."]}))
  const [head, ...events] = (await missed.receive()).map(frame => JSON.parse(frame))
  console.log(JSON.stringify({until: head.until, seqs: events.map(event => event.seq)}))
  missed.close()
}
run()
"""


@pytest.fixture(scope="module")
def node() -> str:
    """The interpreter; the package is installed where it is not yet."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        pytest.skip("node and npm are not installed")
    if not (HOME / "node_modules" / "zeromq" / "package.json").exists():
        HOME.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(HOME), PACKAGE]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip("the npm registry does not answer")
        if done.returncode:
            pytest.skip(f"npm cannot install {PACKAGE}: {done.stderr.strip()[-200:]}")
    return found


def test_another_language_reads_an_encrypted_stream_and_asks_for_what_it_missed(node: str, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    for name in ("server", "reader"):
        keys.new(folder, name)
    keys.allow(folder, str(folder / "reader.key"))
    pair, server = keys.secret_pair(folder / "reader.key_secret"), keys.server(folder).public
    program = tmp_path / "reader.js"
    program.write_text(PROGRAM)
    env = environment(NODE_PATH=str(HOME / "node_modules"))
    with Publisher(keys=str(folder)) as publisher:
        publisher.say(3)
        words = [node, program, publisher.address, publisher.replay, server, pair.public, pair.secret]
        with Running(words, tmp_path, env) as reader:
            reader.wait_for(lambda line: "ready" in line)
            publisher.say(1, "alert.opened", p_fake=0.97)
            assert reader.end() == 0, reader.stderr
            result = [json.loads(line) for line in reader.lines if "ready" not in line]
    assert result == [{"topic": "alert.call1.caller", "p_fake": 0.97}, {"until": 4, "seqs": [1, 2, 3]}]
