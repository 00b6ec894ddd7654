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
