"""A real HTTP server on this machine that misbehaves as it is told to."""

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 4096


class BadServer(ThreadingHTTPServer):
    """Hands out one file at any path, unless told otherwise.

    Parameters
    ----------
    content : bytes
    tls : ssl.SSLContext, optional
        For https.

    Attributes
    ----------
    content : bytes
    etag : str or None
    ranges, conditions : bool
        Whether Range, and If-Range, are obeyed.
    cuts : list of int
        Offsets in the file; a connection that comes to one is cut there, once.
    truncate, stall : int or None
        Bytes after which every answer ends, or nothing more comes.
    chunked : bool
        Answers have no Content-Length.
    pace : float
        Seconds between pieces of 4 kB.
    limit : int or None
        Where `sent` stops.
    kind : str
        Content-Type.
    first : deque of (int, dict, bytes)
        Status, headers and body of the answers to the first requests; None for the file.
    paths : dict
        The same for single paths, always.
    asked : list of (float, str, dict)
        Time, path as sent, and headers of each request.
    sent : int
        Bytes of the file handed out.
    """

    daemon_threads = True

    def __init__(self, content, tls=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.etag, self.kind = content, '"one"', "application/octet-stream"
        self.ranges = self.conditions = True
        self.cuts, self.truncate, self.stall, self.chunked, self.pace = [], None, None, False, 0
        self.first, self.paths, self.asked, self.sent, self.limit = deque(), {}, [], 0, None
        self.guard = threading.Lock()
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.address = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}"

    def cut_between(self, start, stop):
        """The first cut in a range of the file; it will not happen again."""
        with self.guard:
            found = min((cut for cut in self.cuts if start <= cut < stop), default=None)
            if found is not None:
                self.cuts.remove(found)
            return found

    def ranges_asked(self):
        return [headers.get("Range") for _, _, headers in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_GET(self):
        server = self.server
        with server.guard:
            server.asked.append((time.monotonic(), self.path, dict(self.headers)))
            planned = server.first.popleft() if server.first else None
        if (planned := planned or server.paths.get(self.path)) is not None:
            status, headers, body = planned
            self.begin(status, headers | {"Content-Length": len(body)})
            self.wfile.write(body)
        else:
            self.send_file()

    def send_file(self):
        server, content = self.server, self.server.content
        start, stop, headers = 0, len(content), {"Content-Type": server.kind}
        if server.etag is not None:
            headers["ETag"] = server.etag
        asked = self.headers.get("Range") if server.ranges else None
        if server.conditions and self.headers.get("If-Range", server.etag) != server.etag:
            asked = None
        if asked is not None:
            first, last = asked.removeprefix("bytes=").split("-")
            start, stop = int(first), min(int(last) + 1, len(content))
            if start >= len(content):
                refused = {"Content-Range": f"bytes */{len(content)}", "Content-Length": 0}
                return self.begin(416, refused)
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
        headers |= {"Transfer-Encoding": "chunked"} if server.chunked else {
            "Content-Length": stop - start
        }  # fmt: skip
        self.begin(200 if asked is None else 206, headers)
        self.send(content, start, stop)

    def begin(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def send(self, content, start, stop):
        server, begin = self.server, start
        cut = server.cut_between(start, stop)
        end = stop if cut is None else cut
        if server.truncate is not None:
            end = min(end, start + server.truncate)
        while start < end:
            if server.stall is not None and start - begin >= server.stall:
                time.sleep(3)
                break
            while server.limit is not None and server.sent >= server.limit:
                time.sleep(0.005)
            piece = content[start : min(start + PIECE, end)]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if server.chunked else piece)
            start += len(piece)
            with server.guard:
                server.sent += len(piece)
            time.sleep(server.pace)
        if start < stop:
            self.close_connection = True
            if cut is not None and cut % 2:
                # A reset, which loses what is still under way, rather than an end.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif server.chunked:
            self.wfile.write(b"0\r\n\r\n")
