// Checkpoints made for tests: a run whose values are a function of its step, saved into this test program's folder, and
// what must hold of the newest checkpoint there.
#ifndef TEST_MADE_CHECKPOINTS_H
#define TEST_MADE_CHECKPOINTS_H

#include "checkpoint/checkpoint.h"
#include "system/files.h"
#include "test/support/check.h"
#include <unistd.h>

enum { EMBEDDING = 1000, NORM = 7, LARGE = (1 << 22) + 5 }; // LARGE: more than the saver writes at once

static char folder[64];
static const CheckpointKeep KEEP_ALL = {0};

static inline int set_up(void **state)
{
    strcpy(folder, "/tmp/test_checkpoint-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static inline int tear_down(void **state) { return folder_remove(folder) ? 0 : -1; }

static inline bool read_array(void *context, int64_t first, int64_t count, float *out)
{
    memcpy(out, (const float *)context + first, (size_t)count * sizeof *out);
    return true;
}

static inline StateTensor array(const char *name, int64_t elements, float *data)
{
    return (StateTensor){name, elements, 0, elements, read_array, data};
}

// A run whose values are a function of its step.
typedef struct Run {
    float embedding[EMBEDDING], norm[NORM], m_embedding[EMBEDDING], m_norm[NORM];
    StateTensor tensors[5];
    int64_t step;
    int keep;
} Run;

static inline Run *run_at(int64_t step, int keep)
{
    Run *r = allocate(1, sizeof *r);
    assert_non_null(r);
    fill_random(r->embedding, EMBEDDING, (uint32_t)step);
    fill_random(r->norm, NORM, (uint32_t)step + 1000);
    fill_random(r->m_embedding, EMBEDDING, (uint32_t)step + 2000);
    fill_random(r->m_norm, NORM, (uint32_t)step + 3000);
    r->tensors[0] = array("model.embed_tokens.weight", EMBEDDING, r->embedding);
    r->tensors[1] = array("model.norm.weight", NORM, r->norm);
    r->tensors[2] = array("optim.m.model.embed_tokens.weight", EMBEDDING, r->m_embedding);
    r->tensors[3] = array("optim.m.model.norm.weight", NORM, r->m_norm);
    r->tensors[4] = array("nothing", 0, NULL);
    r->step = step;
    r->keep = keep;
    return r;
}

static inline bool save(void *context)
{
    Run *r = context;
    json_t *state = json_pack("{s:I, s:s}", "tokens", (json_int_t)(r->step * 100), "seed", "7");
    bool ok = checkpoint_save(folder, r->step, r->tensors, 5, state, &(CheckpointKeep){.newest = r->keep});
    json_decref(state);
    return ok;
}

static inline void save_step(int64_t step, int keep)
{
    Run *r = run_at(step, keep);
    assert_ok(save(r));
    free(r);
}

static inline void start_afresh(void)
{
    assert_ok(folder_remove(folder));
    assert_ok(folder_make(folder));
}

static inline int64_t newest(Bytes *path, Bytes *warnings)
{
    int64_t step;
    assert_ok(checkpoint_newest(path, &step, folder, warnings));
    return step;
}

// Every byte of the checkpoint is what a run at `values` has.
static inline void assert_holds(const char *path, int64_t step, int64_t values)
{
    Checkpoint *c;
    Run *r = run_at(values, 0);
    float out[EMBEDDING];
    assert_ok(checkpoint_open(&c, path));
    assert_ok(checkpoint_verify(c, 0, 1));
    assert_int_equal(checkpoint_step(c), step);
    for (int i = 0; i < 5; i++) {
        int64_t n = r->tensors[i].elements;
        assert_int_equal(checkpoint_elements(c, r->tensors[i].name), n);
        assert_ok(checkpoint_read(c, r->tensors[i].name, 0, n, out));
        assert_true(n == 0 || memcmp(out, r->tensors[i].context, (size_t)n * sizeof *out) == 0);
    }
    assert_int_equal(json_integer_value(json_object_get(checkpoint_state(c), "tokens")), step * 100);
    checkpoint_close(c);
    free(r);
}

static inline void assert_none_is_broken(void) // nothing with the name of a checkpoint is anything less
{
    char **names;
    size_t count;
    assert_ok(folder_list(&names, &count, folder));
    for (size_t i = 0; i < count; i++) {
        char *path = path_join(folder, names[i]);
        Checkpoint *c;
        if (strncmp(names[i], "step-", 5) == 0 && strchr(names[i], '.') == NULL) {
            assert_ok(checkpoint_open(&c, path));
            checkpoint_close(c);
        }
        free(path);
    }
    names_free(names, count);
}

static inline int64_t assert_newest_is_whole(void)
{
    Bytes path = {0};
    int64_t step = newest(&path, NULL);
    assert_true(step >= 0);
    assert_holds(path.data, step, step);
    bytes_free(&path);
    return step;
}

static inline size_t count_of(const char *part) // names in the folder that contain it
{
    char **names;
    size_t count, found = 0;
    assert_ok(folder_list(&names, &count, folder));
    for (size_t i = 0; i < count; i++)
        found += strstr(names[i], part) != NULL;
    names_free(names, count);
    return found;
}

static inline Bytes inside(const char *name)
{
    Bytes path = {0};
    assert_ok(bytes_printf(&path, "%s/%s", folder, name));
    return path;
}

static inline void change_byte(const char *name, int64_t from_end)
{
    Bytes path = inside(name), content = {0};
    assert_ok(file_read(&content, path.data, 1 << 26));
    content.data[(int64_t)content.size - from_end] ^= 1;
    assert_ok(file_write_atomic(path.data, content.data, content.size));
    bytes_free(&content);
    bytes_free(&path);
}

static inline void replace_text(const char *name, const char *old, const char *new)
{
    Bytes path = inside(name), content = {0}, changed = {0};
    assert_ok(file_read(&content, path.data, 1 << 26));
    const char *at = strstr(content.data, old);
    assert_non_null(at);
    assert_ok(bytes_append(&changed, content.data, (size_t)(at - content.data)));
    assert_ok(bytes_text(&changed, new));
    assert_ok(bytes_text(&changed, at + strlen(old)));
    assert_ok(file_write_atomic(path.data, changed.data, changed.size));
    bytes_free(&content);
    bytes_free(&changed);
    bytes_free(&path);
}

#endif
