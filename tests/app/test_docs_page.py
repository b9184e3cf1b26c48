"""The documentation page works without the internet."""

from __future__ import annotations

import re

import httpx

from app.main import create_app
from settings import Settings


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    transport = httpx.ASGITransport(create_app(Settings(), "postgresql://nowhere"))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = (await client.get("/docs")).text
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(loaded) >= 3
        for address in loaded:
            assert address.startswith("/")
            assert (await client.get(address)).status_code == 200
