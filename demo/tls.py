# Copyright: The gpt_agent.runbook contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS in front of the stack's PostgreSQL, whose build has none: a terminator as managed databases
have, with STARTTLS.

``with PostgresTls(stack.settings) as front: … front.port`` serves the stack's certificate as it was
when it was loaded; ``front.reload()`` loads it anew, as a server does when it is told to.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Mapping
from typing import Any

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class PostgresTls:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._certificates: Mapping[str, str] = settings["certificates"]
        self._backend = (settings["postgres"]["host"], settings["postgres"]["port"])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="postgres-tls", daemon=True
        )
        self.host, self.port = "127.0.0.1", 0
        self.reload()

    def reload(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificates["fullchain"], self._certificates["key"])
        self._context = context

    def __enter__(self) -> PostgresTls:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, self.host, 0), self._loop
        ).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.suppress(
                OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError
            ),
            contextlib.closing(writer),
        ):
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self._context)
            back_reader, back_writer = await asyncio.open_connection(*self._backend)
            with contextlib.closing(back_writer):
                await asyncio.gather(_pump(reader, back_writer), _pump(back_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
