// Fuzzing config.json: any bytes as the file. What must hold of one that is accepted: sizes are positive and fit
// together, and what is written of it is accepted too and says the same.
#include "model/config.h"
#include "pretrained/config_json.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise, const char *what)
{
    if (promise)
        return;
    fprintf(stderr, "fuzz_config: broken promise: %s (%s)\n", what, error_text());
    abort();
}

static bool read_bytes(ModelConfig *config, const void *data, size_t size) // by way of a file in memory
{
    char path[64];
    int fd = memfd_create("config.json", 0);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "a file in memory is made");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool ok = config_read(config, path);
    close(fd);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ModelConfig c, again;
    if (read_bytes(&c, data, size)) {
        must(c.layers > 0 && c.width > 0 && c.vocabulary > 0 && c.feed_forward > 0 && c.kv_heads > 0,
             "sizes are positive");
        must(c.heads % c.kv_heads == 0 && c.head_width % 2 == 0, "heads fit together");
        must(c.end_count >= 0 && c.end_count <= END_TOKENS && c.begin_token < c.vocabulary, "tokens fit");
        json_t *root = config_to_json(&c, "bfloat16");
        char *text = json_dumps(root, 0);
        must(text != NULL && read_bytes(&again, text, strlen(text)), "what is written is accepted");
        must(memcmp(&c, &again, sizeof c) == 0, "what is written says the same");
        free(text);
        json_decref(root);
    }
    error_clear();
    return 0;
}
