"""``python -m calamari_py`` and the ``calamari`` command."""

from __future__ import annotations

from calamari_py.cli import main

if __name__ == "__main__":
    main()
