"""A server on this machine that speaks STRING's protocol, and misbehaves when told to."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from urllib.parse import parse_qs

DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'width="10" height="10" onload="alert(1)"><script>alert(1)</script>'
    '<image xlink:href="https://elsewhere.example/x.png"/><a href="javascript:alert(1)"/>'
    '<circle r="3" style="fill: url(https://elsewhere.example)"/>'
    '<path id="edge" fill="url(#gradient)" d="M 0 0"/><text>{names}</text></svg>'
)


class StringServer(ThreadingHTTPServer):
    """STRING of some genes and terms.

    `asked` holds the method and parameters of every request with its start and end; `trouble`
    maps a method to what its next answers suffer from.
    """

    daemon_threads = True

    def __init__(self, genes, terms, species=10090):
        super().__init__(("127.0.0.1", 0), Handler)
        self.genes, self.species = {gene: i for i, gene in enumerate(genes)}, species
        self.terms = {term: {self.identifier(gene) for gene in terms[term]} for term in terms}
        self.asked, self.trouble, self.faults = [], {}, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/api"

    def identifier(self, gene):
        return f"{self.species}.P{self.genes[gene]:05}" if gene in self.genes else None

    def name(self, identifier):
        return list(self.genes)[int(identifier.split(".P")[1])]

    def pauses(self):
        """Seconds between the end of each request and the start of the next."""
        times = sorted(entry["times"] for entry in self.asked)
        return [start - end for (_, end), (start, _) in pairwise(times)]

    def methods(self):
        return [entry["method"] for entry in self.asked]

    def answer(self, form, method, query):
        """Rows of a table, or a drawing, as STRING 12 gives them."""
        identifiers = query["identifiers"].split("\r")
        if form == "svg":
            return DRAWING.replace("{names}", " ".join(identifiers))
        return "".join("\t".join(map(str, row)) + "\n" for row in getattr(self, method)(query))

    def get_string_ids(self, query):
        yield ("queryItem", "queryIndex", "stringId", "ncbiTaxonId", "taxonName", "preferredName",
               "annotation")  # fmt: skip
        for i, gene in enumerate(query["identifiers"].split("\r")):
            if gene in self.genes:
                yield gene, i, self.identifier(gene), self.species, "a mouse", gene, "a <protein>"

    def enrichment(self, query):
        asked = set(query["identifiers"].split("\r"))
        background = query.get("background_string_identifiers", "").split("\r")
        yield ("category", "term", "number_of_genes", "number_of_genes_in_background",
               "ncbiTaxonId", "inputGenes", "preferredNames", "p_value", "fdr",
               "description")  # fmt: skip
        for i, (term, members) in enumerate(self.terms.items()):
            hits = sorted(asked & members)
            total = members & set(background) if background != [""] else members
            if hits:
                yield ("KEGG" if i % 2 else "Process", term, len(hits), len(total), self.species,
                       ",".join(hits), ",".join(map(self.name, hits)), 10.0 ** -len(hits),
                       2 * 10.0 ** -len(hits), f"What {term} means")  # fmt: skip

    def ppi_enrichment(self, query):
        nodes = len(query["identifiers"].split("\r"))
        yield ("number_of_nodes", "number_of_edges", "average_node_degree",
               "local_clustering_coefficient", "expected_number_of_edges", "p_value")  # fmt: skip
        yield nodes, 7, 1.5, 0.25, 3, 0.0125

    def network(self, query):
        asked = query["identifiers"].split("\r")
        yield ("stringId_A", "stringId_B", "preferredName_A", "preferredName_B", "ncbiTaxonId",
               "score", "nscore", "fscore", "pscore", "ascore", "escore", "dscore",
               "tscore")  # fmt: skip
        for a, b in pairwise(asked):
            yield a, b, self.name(a), self.name(b), self.species, 0.9, *[0] * 7


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.faults.append(f"GET {self.path}")
        self.send(405, "text/plain", "Error\tErrorMessage\nmethod\tPOST only\n")

    def do_POST(self):
        start = time.monotonic()
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        query = {key: values[0] for key, values in parse_qs(body, strict_parsing=True).items()}
        _, api, form, method = self.path.split("/")
        entry = {"method": method, "form": form, "query": query, "times": (start, start)}
        self.server.asked.append(entry)
        self.reply(entry, api, form, method, query)

    def reply(self, entry, api, form, method, query):
        server = self.server
        if api != "api" or query.get("caller_identity") != "statediff":
            server.faults.append(self.path)
        if query.get("species") != str(server.species):
            return self.send(400, "text/tab-separated-values",
                             "Error\tErrorMessage\ninput error\tSpecies not known!\n")  # fmt: skip
        # Before the client can know of it.
        entry["times"] = (entry["times"][0], time.monotonic())
        troubles = server.trouble.get(f"{form}/{method}", [])
        match troubles.pop(0) if troubles else None:
            case "closed":
                self.close_connection = True
                return None
            case "cut":
                self.close_connection = True
                answer = server.answer(form, method, query).encode()
                return self.send(200, "text/plain", answer[: len(answer) // 2], len(answer))
            case int(status):
                return self.send(status, "text/plain", "no <b>time</b>")
            case (int(status), headers):
                return self.send(status, "text/plain", "", None, headers)
            case str(text):
                return self.send(200, "text/plain", text)
        return self.send(200, "text/plain", server.answer(form, method, query))

    def send(self, status, kind, content, length=None, headers=()):
        content = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(content)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
