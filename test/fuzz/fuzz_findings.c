// Fuzzing the reader of findings: any bytes as a file, then the same bytes with their checksum made right, so that
// mutations reach what stands behind it. What must hold of one that is accepted: each finding can be put and written
// again, and of one that is not nothing is kept.
#include "system/findings.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (promise)
        return;
    fprintf(stderr, "fuzz_findings: broken promise: %s (%s)\n", what, error_text());
    abort();
}

static void take(const char *data, size_t size)
{
    char about[] = "fuzz";
    Findings f = {.about = about}, again = {.about = about};
    if (findings_take(&f, data, size))
        for (size_t i = 0; i < f.count; i++) {
            must(findings_put(&again, f.list[i].what, f.list[i].found), "what was read can be put");
            must(strcmp(findings_of(&f, f.list[i].what), f.list[i].found) == 0, "a finding stands once");
        }
    else
        must(f.count == 0, "of a file that is refused nothing is kept");
    must(again.count == f.count, "all of them can be put");
    error_clear();
    f.about = again.about = NULL;
    findings_close(&f);
    findings_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes text = {0};
    take((const char *)data, size);
    const char *last = size > 27 ? "\nchecksum: " : NULL; // its line: 10 + 16 + 1 bytes
    bool ok = last != NULL && bytes_append(&text, data, size - 27);
    if (ok && text.data[text.size - 1] == '\n' &&
        bytes_printf(&text, "%s%016" PRIx64 "\n", last + 1, hash_bytes(text.data, text.size)))
        take(text.data, text.size);
    bytes_free(&text);
    error_clear();
    return 0;
}
