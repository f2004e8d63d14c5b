"""MLflow's server with a first page that is about the study: what `mlflow server --app-name strata` runs.

MLflow's own first page is for language models, and a fresh browser shows a study in that mode too, where it looks
empty. The page of MLflow is left as it is, but for a script before its own that sends a visit to the bare address to
STRATA_OPENS_AT, and tells a browser that was never here before which of the two modes is meant. What that script sets
is MLflow's own and undocumented; where a later MLflow does not know it, pages open as MLflow would open them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

SCRIPT = """<script>
  if (!location.hash && %(opens_at)s) location.replace(%(opens_at)s);
  for (const [key, value] of Object.entries(%(settings)s)) {
    try { if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value)); } catch {}
  }
</script>"""
SETTINGS = {"mlflow.workflowType_v1": "machine_learning", "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True}
"""What MLflow keeps in a browser: the mode, and that its Assistant need not open by itself. A person's own choice
stays.
"""


def create_app() -> Any:
    """MLflow's ASGI application, whose page at `/` carries the script. For `mlflow.app`, a group of entry points."""
    from flask import Response, request
    from mlflow.server import app as pages
    from mlflow.server.fastapi_app import app

    page = with_script((Path(pages.static_folder or "") / "index.html").read_text(), os.environ["STRATA_OPENS_AT"])

    @pages.before_request  # after MLflow's own checks of a request, which are registered earlier
    def first_page() -> Response | None:
        if request.path != "/":
            return None
        return Response(page, mimetype="text/html", headers={"Cache-Control": "no-store"})

    return app


def with_script(page: str, opens_at: str) -> str:
    """The page with the script before its first one; unchanged where it has no head to put it in."""
    # A path of ours is ASCII; `</` would end the script.
    values = {"opens_at": opens_at.removeprefix("/"), "settings": SETTINGS}
    script = SCRIPT % {name: json.dumps(value).replace("</", "<\\/") for name, value in values.items()}
    return page.replace("<head>", f"<head>{script}", 1)
