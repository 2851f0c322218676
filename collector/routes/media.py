"""Langfuse SDKs offer images and audio to a media store before they send the span that refers to them. There is none here, and the span
names type and size anyway: they are told that there is nothing to upload, so that no error appears in the user's program. The body is not
read.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

router = APIRouter(prefix="/api/public/media", include_in_schema=False)


@router.post("")
def offer_media() -> dict[str, Any]:
    """Langfuse's answer for media that need no upload; without an address nothing more is asked for."""
    return {"mediaId": "not-kept", "uploadUrl": None}
