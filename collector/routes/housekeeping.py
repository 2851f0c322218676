"""Housekeeping of a running collector: prune, renormalise, backup. Each goes through the one writer, in small slices."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from collector.errors import InvalidValue
from collector.jsonform import to_json
from collector.model import RetentionPolicy
from collector.routes.answer import json_answer
from collector.routes.parts import Here
from collector.settings import parse_bytes, parse_duration_ns

router = APIRouter(prefix="/api/v1", tags=["housekeeping"])

Amount = Annotated[int | None, Field(ge=0, strict=True)]


class PruneBody(BaseModel):
    """What may be pruned; what is not named has no limit."""

    model_config = ConfigDict(extra="forbid")
    max_age: Annotated[str | None, Field(examples=["30d"], description="A duration; or `max_age_ns`.")] = None
    max_age_ns: Amount = None
    max_size: Annotated[str | None, Field(examples=["2GB"], description="A size; or `max_bytes`.")] = None
    max_bytes: Amount = None
    max_traces: Amount = None
    keep_scored: bool = False
    service: str | None = None
    dry_run: bool = False

    def policy(self) -> RetentionPolicy:
        age = parse_duration_ns(self.max_age, "max_age") if self.max_age else self.max_age_ns
        size = parse_bytes(self.max_size, "max_size") if self.max_size else self.max_bytes
        if age is None and size is None and self.max_traces is None:
            raise InvalidValue("nothing to prune by: give max_age, max_size or max_traces")
        return RetentionPolicy(age, size, self.max_traces, self.keep_scored, self.service)


@router.post("/prune")
def prune(request: Request, here: Here, body: PruneBody) -> Response:
    """Remove what the policy does not keep, oldest first: `{traces, spans, bytes_freed, dry_run}`."""
    return json_answer(request, to_json(here.store.prune(body.policy(), body.dry_run)))


@router.post("/renormalise")
def renormalise(request: Request, here: Here) -> Response:
    """Derive every stored span's fields again with the current dialects and rules: `{changed}`."""
    return json_answer(request, {"changed": here.store.renormalise()})


@router.post("/backup", response_class=FileResponse)
def backup(here: Here) -> Response:
    """Download a consistent copy of the database, made while it runs. No path comes from the request: the copy is made beside the database
    and removed when it was sent."""
    folder = Path(tempfile.mkdtemp(prefix=".backup-", dir=here.folder))
    copy = folder / "backup.db"
    try:
        here.store.backup(str(copy))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    remove = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(copy, media_type="application/vnd.sqlite3", filename="rightpassage-backup.db", background=remove)
