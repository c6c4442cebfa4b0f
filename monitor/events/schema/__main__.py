"""python -m monitor.events.schema: write the JSON Schemas of the models next to them."""

from pathlib import Path

from monitor.events.schema.schema_files import FOLDER, generate

folder = Path(__file__).parent / FOLDER
folder.mkdir(exist_ok=True)
for name, text in generate().items():
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
