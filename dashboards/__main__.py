"""Write all dashboards: `python -m dashboards`."""

from __future__ import annotations

from dashboards.registry import FOLDER, files

if __name__ == "__main__":
    texts = files()
    for path in set(FOLDER.glob("*.json")) - set(texts):
        path.unlink()
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
