"""Downloads over TLS, through a proxy, and past one."""

import select
import shutil
import socket
import ssl
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bad_server import BadServer
from fetched import CONTENT, refused
from support import serving

pytestmark = pytest.mark.usefixtures("hurry")


@pytest.fixture
def tls(tmp_path_factory):
    """A certificate that no authority signed, and a context with it."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out certificate -days 2 "
    command += "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context, folder / "certificate"


def test_a_certificate_that_cannot_be_verified_is_refused(get, tls):
    with serving(BadServer(CONTENT, tls[0])) as server:
        url = f"{server.address}/data.h5ad"
        refused(get, url, "certificates are always verified", "REQUESTS_CA_BUNDLE", urls=[url])
        assert server.asked == []


class Proxy(BaseHTTPRequestHandler):
    """Tunnels to where it is asked to; notes the targets."""

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.server.targets.append(self.path)
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            ends = {there: self.connection, self.connection: there}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    if not (data := end.recv(1 << 16)):
                        return
                    ends[end].sendall(data)


def test_https_goes_through_the_proxy_and_a_trusted_certificate(get, tls, monkeypatch):
    context, certificate = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    for name in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    proxy.daemon_threads, proxy.targets = True, []
    with serving(proxy), serving(BadServer(CONTENT, context)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        assert get([f"{server.address}/data.h5ad"]) == CONTENT
        assert proxy.targets == [server.address.removeprefix("https://")]


def test_this_machine_itself_is_asked_without_a_proxy(server, get, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.first.append((302, {"Location": f"{server.address}/elsewhere"}, b""))
    assert get() == CONTENT
    assert server.asked[1][1] == "/elsewhere"


def test_a_proxy_that_is_not_there_is_told(get, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free.getsockname()[1]}")
        refused(get, "the proxy fails; check HTTPS_PROXY", urls=["https://127.0.0.1:1/data.h5ad"])
