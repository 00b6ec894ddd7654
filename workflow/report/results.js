// Browsers open no data address of more than some megabytes as a page: open results as blobs.
for (const result of Object.values(results)) {
    const address = result.data_uri;
    let blob;
    Object.defineProperty(result, "data_uri", {
        get() {
            if (blob === undefined) {
                const [head, content] = address.split(";base64,");
                const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
                blob = URL.createObjectURL(new Blob([bytes], { type: head.slice(5) }));
            }
            return blob;
        },
    });
}

// The summary comes first, and the rest of the report at the address #all. Snakemake's links lead to
// an empty one, which changes nothing.
function showPage() {
    if (location.hash === "#all") document.body.classList.remove("summarised");
    else if (location.hash.length > 1) document.body.classList.add("summarised");
    if (location.hash === "#all" || location.hash === "#summary") window.scrollTo(0, 0);
}
window.addEventListener("hashchange", showPage);
window.addEventListener("DOMContentLoaded", () => {
    document.body.classList.add("summarised");
    showPage();
    for (const image of document.querySelectorAll("#summary img[data-result]")) {
        image.src = results[image.dataset.result].data_uri;
    }
    document.querySelector("#summary").addEventListener("click", (event) => {
        const link = event.target.closest("a");
        if (link?.dataset.category) app.showCategory(link.dataset.category);
        if (link?.dataset.result) {
            event.preventDefault();
            window.open(results[link.dataset.result].data_uri);
        }
    });
});
