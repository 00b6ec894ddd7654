"""The client of STRING against a real server on this machine."""

import re
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from statediff import InputError, string_db
from statediff.string_db import StringClient, clean_svg, page_address
from string_server import DRAWING, serving

GENES = [f"Gene{i}" for i in range(6)]
HOSTILE = [
    "../../x", "a;rm -rf ~", "<script>alert(1)</script>", "%0d", "a%0Db&species=9606", "g" * 1000,
    "Gène-基因-🧬", "$(touch x)", "`id`", '"quoted\'',
]  # fmt: skip
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
    with serving([*GENES, *HOSTILE], {"T1": GENES[:3], "T2": GENES[2:]}) as server:
        yield server
    assert not server.faults


@pytest.fixture
def client(server, tmp_path):
    return StringClient(server.url, server.species, tmp_path / "cache")


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
        assert re.fullmatch(r"turn|[0-9a-f]{64}\.tsv", path.name)


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
    again = StringClient(server.url + "/", server.species, client.cache)
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
            ["Error\tErrorMessage\nnot found\tNo <i>such</i>\n"],
            "Error ErrorMessage not found No su",
        ),
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
        StringClient(address, 9606, tmp_path).map_genes(GENES)


def test_an_unknown_species(server, tmp_path):
    with pytest.raises(InputError, match="Species not known!"):
        StringClient(server.url, 1, tmp_path).map_genes(GENES)


def test_clients_in_parallel_wait_for_each_other(server, tmp_path):
    def ask(gene):
        StringClient(server.url, server.species, tmp_path).map_genes([gene])

    threads = [threading.Thread(target=ask, args=(gene,)) for gene in GENES[:3]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 3
    assert min(server.pauses()) >= 1.0


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
    with serving(GENES, {}) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        client = StringClient(server.url.replace("http", "https", 1), 10090, tmp_path / "cache")
        with pytest.raises(InputError, match="CERTIFICATE_VERIFY_FAILED"):
            client.map_genes(GENES)
    assert not server.asked


def test_drawings_lose_what_acts_or_loads():
    cleaned = clean_svg(DRAWING.replace("{names}", "&lt;script&gt;").encode()).decode()
    for part in ("<script", "onload", "elsewhere", "javascript"):
        assert part not in cleaned
    for part in ('d="M 0 0"', "url(#gradient)", "&lt;script&gt;"):
        assert part in cleaned


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
