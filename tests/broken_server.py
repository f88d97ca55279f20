"""A tracking server that does not do its work."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class BrokenServer:
    """Answers 500 to everything; while it hangs, it takes the connection and does not answer."""

    def __init__(self, hangs: bool) -> None:
        self.answers, self.asked = threading.Event(), threading.Event()
        if not hangs:
            self.answers.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_anything(self) -> None:
                outer.asked.set()
                outer.answers.wait(60)
                self.send_error(500)

            do_GET = do_POST = do_PATCH = do_PUT = handle_anything

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
