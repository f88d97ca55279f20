"""A tracking server that does not do its work."""

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class BrokenServer:
    """Answers with an error to everything; while it hangs, it takes the connection and does not answer.

    Args:
        hangs: at first.
        status: of its answers.
    """

    def __init__(self, hangs: bool, status: int = 500) -> None:
        self.logins: set[str] = set()
        self.answers, self.asked = threading.Event(), threading.Event()
        if not hangs:
            self.answers.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_anything(self) -> None:
                outer.asked.set()
                outer.answers.wait(60)
                login = self.headers.get("Authorization")
                if login:
                    outer.logins.add(base64.b64decode(login.removeprefix("Basic ")).decode())
                self.send_error(status)

            do_GET = do_POST = do_PATCH = do_PUT = handle_anything

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
