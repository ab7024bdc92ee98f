"""A server that answers for files as the Hugging Face Hub does."""

from __future__ import annotations

import hashlib
import http.server


class HubServer(http.server.ThreadingHTTPServer):
    """Answers for files as the Hub does, as far as a download of one file needs it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        data = self.server.files.get(self.path)  # type: ignore[attr-defined]
        self.send_response(404 if data is None else 200)
        if data is not None:
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", self.path.partition("/resolve/")[2].split("/")[0])
        self.end_headers()
        self.body = data

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.body or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass
