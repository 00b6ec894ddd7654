"""The client of STRING against a real server on this machine."""

import errno
import re
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from statediff import InputError, string_db
from statediff.string_db import StringClient, clean_svg, page_address
from string_server import DRAWING, StringServer
from support import serving

GENES = [f"Gene{i}" for i in range(6)]
HOSTILE = [
    "../../x", "a;rm -rf ~", "<script>alert(1)</script>", "%0d", "a%0Db&species=9606", "g" * 1000,
    "Gène-基因-🧬", "$(touch x)", "`id`", '"quoted\'',
]  # fmt: skip
HARMLESS = "fill: url(#gradient); image-rendering: auto; stroke: rgb(1, 2, 3)"
# Names with what separates names are no names that STRING could know.
SEPARATING = ["Gene1\rGene2", "Gene1\nGene2", "Gene1\tGene2", "", "Gene1\u2028Gene2"]


@pytest.fixture(autouse=True)
def proxy(monkeypatch):
    """A proxy that is not there: nobody asks it for a server on this machine."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def server():
    terms = {"T1": GENES[:3], "T2": GENES[2:]}
    with serving(StringServer([*GENES, *HOSTILE], terms)) as server:
        yield server
    assert not server.faults


@pytest.fixture
def client(server, tmp_path):
    return StringClient(server.url, server.species, tmp_path / "cache", tmp_path / "turn")


def test_names_arrive_as_they_are_and_separating_ones_stay_here(client, server):
    asked = [*GENES[:2], *SEPARATING, "unknown", *HOSTILE]
    known = client.map_genes(asked)
    assert list(known) == [*GENES[:2], *HOSTILE]
    assert known["%0d"] == (server.identifier("%0d"), "%0d")
    (entry,) = server.asked
    sent = entry["query"]["identifiers"].split("\r")
    assert sent == sorted([*GENES[:2], "unknown", *HOSTILE])
    assert entry["query"] | {"identifiers": ""} == {
        "identifiers": "", "species": "10090", "caller_identity": "statediff", "limit": "1",
        "echo_query": "1",
    }  # fmt: skip
    # Nothing is named after a gene.
    for path in client.cache.iterdir():
        assert re.fullmatch(r"[0-9a-f]{64}\.tsv", path.name)


def test_many_names_are_asked_for_in_parts_a_second_apart(client, server, monkeypatch):
    monkeypatch.setattr(string_db, "BATCH", 3)
    assert list(client.map_genes(GENES)) == GENES
    assert len(server.asked) == 2
    assert min(server.pauses()) >= 1.0


def test_enrichment_with_a_background(client, server):
    asked, background = ([server.identifier(g) for g in names] for names in (GENES[:3], GENES[:5]))
    table = client.enrichment(asked, background).set_index("term")
    assert list(table["number_of_genes"]) == [3, 1]
    assert list(table["number_of_genes_in_background"]) == [3, 3]
    assert table.loc["T1", "preferredNames"] == "Gene0,Gene1,Gene2"
    assert table["fdr"].dtype == float
    (entry,) = server.asked
    assert entry["query"]["background_string_identifiers"] == "\r".join(sorted(background))


def test_a_second_client_asks_nothing(client, server):
    asked = [server.identifier(g) for g in GENES]
    first = [client.enrichment(asked), client.ppi_enrichment(asked), client.network_svg(asked)]
    assert first[1] == {"number_of_edges": 7, "expected_number_of_edges": 3, "p_value": 0.0125}
    assert min(server.pauses()) >= 1.0
    again = StringClient(server.url + "/", server.species, client.cache, client.turn)
    second = [again.enrichment(asked), again.ppi_enrichment(asked), again.network_svg(asked)]
    assert len(server.asked) == 3
    assert first[0].equals(second[0])
    assert first[1:] == second[1:]
    # The same genes are the same question, but not with another background.
    again.enrichment(asked[::-1])
    assert len(server.asked) == 3
    again.enrichment(asked, asked[:3])
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "trouble", [[500], [(429, {"Retry-After": "2"})], ["closed"], ["cut"], [(503, {}), "cut"]]
)
def test_passing_trouble_is_waited_for(client, server, trouble):
    server.trouble["tsv/get_string_ids"] = list(trouble)
    assert list(client.map_genes(GENES)) == GENES
    assert len(server.asked) == len(trouble) + 1
    assert min(server.pauses()) >= (2.0 if "2" in str(trouble[0]) else 1.0)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ([500, 500], "status 500 Internal Server Error: no time"),
        (["closed", "closed"], "Remote end closed connection"),
        (["cut", "cut"], "IncompleteRead"),
        ([404], "status 404 Not Found: no time"),
        ([(302, {"Location": "https://elsewhere.example"})], "302 Found https://elsewhere.exa"),
        (["<!doctype html><title>Maintenance</title>"], "a web page, expected a table: Maintenanc"),
        (
            ["Error\tErrorMessage\ninput error\tNo <i>such</i> species\n"],
            "Error ErrorMessage input error No such species",
        ),
        (["Error\tErrorMessage\ninput error\tSpecies not found\n"], "Species not found"),
        ([(429, {"Retry-After": "301"})], "busy (status 429) and asks for a pause of 301 s"),
        ([(503, {"Retry-After": "90000"})], "90,000 s; a job waits at most 300 s"),
        (['[{"Error": "input error"}]'], 'Error": "input error"'),
        (["queryItem\tstringId\tpreferredName\na\tb\n"], "rows of different length"),
        (["a\tb\n1\t2\n"], "expected the columns queryItem, stringId, preferredName"),
    ],
)
def test_lasting_trouble_is_told_and_not_kept(client, server, monkeypatch, trouble, message):
    monkeypatch.setattr(string_db, "RETRIES", 1)
    server.trouble["tsv/get_string_ids"] = list(trouble)
    with pytest.raises(InputError, match=r"^enrichment: STRING's get_string_ids at http") as error:
        client.map_genes(GENES)
    assert message in str(error.value)
    assert "--keep-going" in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(client.cache.glob("*.tsv"))
    assert len(server.asked) == len(trouble)
    # A good day later.
    assert list(client.map_genes(GENES)) == GENES


def test_a_number_that_is_none_is_told_and_not_kept(client, server):
    answer = server.answer("tsv", "enrichment", {"identifiers": server.identifier("Gene0")})
    server.trouble["tsv/enrichment"] = [answer.replace("0.1", "many")]
    with pytest.raises(InputError, match="many"):
        client.enrichment([server.identifier("Gene0")])
    assert not list(client.cache.glob("*.tsv"))


@pytest.mark.parametrize("empty", ["", "\n"])
def test_no_line_is_no_row(client, server, empty):
    server.trouble["tsv/enrichment"] = [empty]
    assert client.enrichment([server.identifier("Gene0")]).empty


def test_a_server_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(string_db, "RETRIES", 0)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as gone:
        address = f"http://127.0.0.1:{gone.server_port}/api"
    with pytest.raises(InputError, match="Connection refused"):
        StringClient(address, 9606, tmp_path, tmp_path / "turn").map_genes(GENES)


def test_an_unknown_species(server, tmp_path):
    with pytest.raises(InputError, match="Species not known!"):
        StringClient(server.url, 1, tmp_path, tmp_path / "turn").map_genes(GENES)


def in_parallel(client, tasks):
    """Run tasks in threads, each with a client of its own that keeps its answers in a folder."""
    threads = []
    for cache, task in tasks:
        own = StringClient(client.url, client.species, client.cache / cache, client.turn)
        threads.append(threading.Thread(target=task, args=(own,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_clients_in_parallel_wait_for_each_other_whatever_their_cache(client, server):
    in_parallel(client, [(f"{i}", lambda own: own.map_genes(GENES)) for i in range(3)])
    assert len(server.asked) == 3
    assert min(server.pauses()) >= 1.0


def test_what_another_asked_meanwhile_is_not_asked_again(client, server):
    found = []
    in_parallel(client, [("shared", lambda own: found.append(own.map_genes(GENES)))] * 3)
    assert [list(known) for known in found] == [GENES] * 3
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "spoilt", ["<html>", "no table", "Error\tErrorMessage\n", "\x00", "a\tb\n1\n"]
)
def test_a_kept_answer_that_says_nothing_is_asked_for_again(client, server, spoilt):
    asked = [server.identifier(gene) for gene in GENES]
    first = client.enrichment(asked)
    (path,) = client.cache.iterdir()
    kept = path.read_bytes()
    path.write_text(spoilt)
    assert client.enrichment(asked).equals(first)
    assert len(server.asked) == 2
    assert path.read_bytes() == kept


@pytest.mark.parametrize("left", [b"", b"garbage", b"1e", b"\0" * 8, b"\xff\xfe", b"nan", b"inf"])
def test_a_time_that_cannot_be_read_is_noted_anew(client, server, left):
    client.turn.write_bytes(left)
    before = time.time()
    assert list(client.map_genes(GENES)) == GENES
    assert before <= float(client.turn.read_text()) <= time.time()


def test_without_locks_nothing_is_asked(client, server, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(string_db.fcntl, "flock", flock)
    with pytest.raises(InputError, match=r"turn cannot be locked \(No locks.*a file system with l"):
        client.map_genes(GENES)
    assert not server.asked


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "queryItem\tstringId\tpreferredName\n",
        "Error\tErrorMessage\nnot found\tSorry, STRING did not find a protein called 'x'\n",
        "Error\tErrorMessage\ninput error\tThe identifiers could not be found.\n",
    ],
)
def test_a_part_without_any_known_name(client, server, monkeypatch, answer):
    monkeypatch.setattr(string_db, "BATCH", 3)
    server.trouble["tsv/get_string_ids"] = [answer]
    assert list(client.map_genes(GENES)) == GENES[3:]
    assert len(server.asked) == 2


def test_certificates_are_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(string_db, "RETRIES", 0)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout {key}"
    try:
        subprocess.run([*command.split(), "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(StringServer(GENES, {})) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        address = server.url.replace("http", "https", 1)
        client = StringClient(address, 10090, tmp_path / "cache", tmp_path / "turn")
        with pytest.raises(InputError, match="CERTIFICATE_VERIFY_FAILED"):
            client.map_genes(GENES)
    assert not server.asked


def test_drawings_lose_what_acts_or_loads():
    cleaned = clean_svg(DRAWING.replace("{names}", "&lt;script&gt;").encode()).decode()
    for part in ("<script", "onload", "elsewhere", "javascript"):
        assert part not in cleaned
    for part in ('d="M 0 0"', "url(#gradient)", "&lt;script&gt;"):
        assert part in cleaned


@pytest.mark.parametrize(
    "style",
    [
        "fill: url(https://elsewhere.example)",
        "fill: URL( 'https://elsewhere.example' )",
        "background: image-set('https://elsewhere.example/x.png' 1x)",
        "background: -webkit-image-set('https://elsewhere.example/x.png' 1x)",
        "background: src('https://elsewhere.example/x.png')",
        "background: image('https://elsewhere.example/x.png')",
        "@import 'https://elsewhere.example'",
        "fill: u\\72l(https://elsewhere.example)",
    ],
)
def test_styles_that_load_are_refused(style):
    for part in (
        f'<path style="{style}"/>',
        f"<style>* {{ {style} }}</style>",
        f"<style>a {{}}<title/>* {{ {style} }}</style>",
    ):
        drawing = f'<svg xmlns="http://www.w3.org/2000/svg"><g fill="red"/>{part}</svg>'
        cleaned = clean_svg(drawing.encode()).decode()
        assert "elsewhere" not in cleaned
        assert 'fill="red"' in cleaned
    harmless = f'<svg xmlns="http://www.w3.org/2000/svg"><path style="{HARMLESS}"/></svg>'
    assert HARMLESS in clean_svg(harmless.encode()).decode()


@pytest.mark.parametrize("content", [b"<html></html>", b"<svg", b"", b'{"Error": 1}'])
def test_what_is_no_drawing(content):
    with pytest.raises(ValueError, match="no SVG"):
        clean_svg(content)


def test_the_page_of_the_same_query():
    address, n_names = page_address("https://string.example/api/", HOSTILE, 10090)
    assert n_names == len(HOSTILE)
    assert re.fullmatch(r"https://string\.example/cgi/network\?[\w.~%=&-]+", address)
    query = parse_qs(urlsplit(address).query)
    assert query == {"species": ["10090"], "identifiers": ["\r".join(HOSTILE)]}


def test_an_address_has_an_end():
    names = [f"Gene{i:05}" for i in range(5000)]
    address, n_names = page_address("https://string.example/api", names, 9606)
    assert 600 < n_names < 5000
    assert len(address) <= string_db.LONGEST_ADDRESS
    assert address.endswith(names[n_names - 1])
