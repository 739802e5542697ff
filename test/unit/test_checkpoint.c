// Checkpoints: what is saved is what is read; nothing damaged, cut or not finite passes; and a kill or an error at any
// single change of the disk leaves a newest checkpoint that is whole. The failpoints stand in for the disk
// (test/support/failpoints.h).
#include "test/support/check.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/checkpoint_internal.h"
#include "safetensors/safetensors.h"
#include "system/files.h"
#include "test/support/failpoints.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EMBEDDING = 1000, NORM = 7, LARGE = (1 << 22) + 5 }; // LARGE: more than the saver writes at once

static char folder[64];

static int set_up(void **state)
{
    strcpy(folder, "/tmp/test_checkpoint-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state) { return folder_remove(folder) ? 0 : -1; }

static bool read_array(void *context, int64_t first, int64_t count, float *out)
{
    memcpy(out, (const float *)context + first, (size_t)count * sizeof *out);
    return true;
}

static StateTensor array(const char *name, int64_t elements, float *data)
{
    return (StateTensor){name, elements, read_array, data};
}

// A run whose values are a function of its step.
typedef struct Run {
    float embedding[EMBEDDING], norm[NORM], m_embedding[EMBEDDING], m_norm[NORM];
    StateTensor tensors[5];
    int64_t step;
    int keep;
} Run;

static Run *run_at(int64_t step, int keep)
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

static bool save(void *context)
{
    Run *r = context;
    json_t *state = json_pack("{s:I, s:s}", "tokens", (json_int_t)(r->step * 100), "seed", "7");
    bool ok = checkpoint_save(folder, r->step, r->tensors, 5, state, r->keep);
    json_decref(state);
    return ok;
}

static void save_step(int64_t step, int keep)
{
    Run *r = run_at(step, keep);
    assert_ok(save(r));
    free(r);
}

static void start_afresh(void)
{
    assert_ok(folder_remove(folder));
    assert_ok(folder_make(folder));
}

static int64_t newest(Bytes *path, Bytes *warnings)
{
    int64_t step;
    assert_ok(checkpoint_newest(path, &step, folder, warnings));
    return step;
}

// Every byte of the checkpoint is what a run at `values` has.
static void assert_holds(const char *path, int64_t step, int64_t values)
{
    Checkpoint *c;
    Run *r = run_at(values, 0);
    float out[EMBEDDING];
    assert_ok(checkpoint_open(&c, path));
    assert_ok(checkpoint_verify(c));
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

static void assert_none_is_broken(void) // nothing with the name of a checkpoint is anything less
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

static int64_t assert_newest_is_whole(void)
{
    Bytes path = {0};
    int64_t step = newest(&path, NULL);
    assert_true(step >= 0);
    assert_holds(path.data, step, step);
    bytes_free(&path);
    return step;
}

static size_t count_of(const char *part) // names in the folder that contain it
{
    char **names;
    size_t count, found = 0;
    assert_ok(folder_list(&names, &count, folder));
    for (size_t i = 0; i < count; i++)
        found += strstr(names[i], part) != NULL;
    names_free(names, count);
    return found;
}

static Bytes inside(const char *name)
{
    Bytes path = {0};
    assert_ok(bytes_printf(&path, "%s/%s", folder, name));
    return path;
}

static void change_byte(const char *name, int64_t from_end)
{
    Bytes path = inside(name), content = {0};
    assert_ok(file_read(&content, path.data, 1 << 26));
    content.data[(int64_t)content.size - from_end] ^= 1;
    assert_ok(file_write_atomic(path.data, content.data, content.size));
    bytes_free(&content);
    bytes_free(&path);
}

static void replace_text(const char *name, const char *old, const char *new)
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

// ---- saving and reading

static void what_was_saved_is_what_is_read(void **state)
{
    start_afresh();
    save_step(12, 2);
    assert_int_equal(assert_newest_is_whole(), 12);
    Bytes path = inside("latest"), text = {0};
    assert_ok(file_read(&text, path.data, 100));
    assert_string_equal(text.data, "step-12\n");
    bytes_free(&path);
    bytes_free(&text);
    assert_int_equal(count_of(".tmp-"), 0);
}

static void a_range_is_read_alone(void **state)
{
    start_afresh();
    save_step(3, 0);
    Run *r = run_at(3, 0);
    Bytes path = inside("step-3");
    Checkpoint *c;
    float out[10];
    assert_ok(checkpoint_open(&c, path.data));
    assert_ok(checkpoint_read(c, "model.embed_tokens.weight", 500, 10, out));
    assert_memory_equal(out, r->embedding + 500, sizeof out);
    assert_refused(checkpoint_read(c, "model.embed_tokens.weight", 995, 10, out), "has 1000 elements");
    assert_refused(checkpoint_read(c, "model.embed_tokens.weight", -1, 1, out), "has 1000 elements");
    assert_refused(checkpoint_read(c, "model.embed_tokens.weight", 1, INT64_MAX, out), "has 1000 elements");
    assert_refused(checkpoint_read(c, "lm_head.weight", 0, 1, out), "no tensor lm_head.weight");
    assert_int_equal(checkpoint_elements(c, "lm_head.weight"), -1);
    checkpoint_close(c);
    bytes_free(&path);
    free(r);
}

static void a_tensor_larger_than_a_piece_is_saved_whole(void **state)
{
    start_afresh();
    float *x = random_floats(LARGE, 1), *y = allocate(LARGE, sizeof *y);
    Checkpoint *c;
    Bytes path = inside("step-1");
    StateTensor tensor = array("x", LARGE, x);
    assert_ok(checkpoint_save(folder, 1, &tensor, 1, NULL, 0));
    assert_ok(checkpoint_open(&c, path.data));
    assert_ok(checkpoint_read(c, "x", 0, LARGE, y));
    assert_memory_equal(x, y, LARGE * sizeof *x);
    checkpoint_close(c);
    bytes_free(&path);
    free(x);
    free(y);
}

static void a_shard_is_a_valid_safetensors_file(void **state)
{
    start_afresh();
    save_step(1, 0);
    Run *r = run_at(1, 0);
    Bytes path = inside("step-1/shard-00000.safetensors");
    Weights *w;
    float out[NORM];
    assert_ok(weights_open(&w, path.data));
    assert_int_equal(weights_count(w), 5);
    assert_ok(weights_read(weights_find(w, "optim.m.model.norm.weight"), 0, NORM, out));
    assert_memory_equal(out, r->m_norm, sizeof out);
    weights_close(w);
    bytes_free(&path);
    free(r);
}

static void sign(json_t *manifest)
{
    uint64_t hash;
    char text[17];
    assert_ok(manifest_hash(&hash, manifest));
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    assert_int_equal(json_object_set_new(manifest, "xxh3", json_string(text)), 0);
}

static void sign_again(const char *name)
{
    Bytes path = inside(name);
    json_t *root = json_read(path.data, 1 << 20);
    assert_non_null(root);
    sign(root);
    assert_ok(json_write_atomic(path.data, root));
    json_decref(root);
    bytes_free(&path);
}

static void a_tensor_may_lie_in_several_files(void **state)
{
    start_afresh();
    float x[] = {1, 2, 3, 4, 5}, out[5];
    const char *const names[] = {"a.bin", "b.bin"};
    json_t *files = json_array(), *ranges = json_array();
    Bytes step = inside("step-4");
    assert_ok(folder_make(step.data));
    bytes_free(&step);
    for (int i = 0; i < 2; i++) {
        int first = i * 2, count = 2 + i;
        char hash[17];
        Bytes path = inside("step-4/");
        assert_ok(bytes_text(&path, names[i]));
        assert_ok(file_write_atomic(path.data, x + first, (size_t)count * 4));
        snprintf(hash, sizeof hash, "%016" PRIx64, hash_bytes(x + first, (size_t)count * 4));
        json_array_append_new(files, json_pack("{s:s, s:i, s:s}", "name", names[i], "size", count * 4, "xxh3", hash));
        json_array_insert_new(ranges, 0,
                              json_pack("{s:s, s:i, s:i, s:i, s:s, s:i, s:s}", "tensor", "x", "elements", 5, "offset",
                                        first, "length", count, "file", names[i], "byte", 0, "xxh3", hash));
        bytes_free(&path);
    }
    json_t *root = json_pack("{s:s, s:i, s:i, s:i, s:b, s:o, s:o, s:{}}", "format", "dereason checkpoint", "version", 2,
                             "step", 4, "world", 2, "finite", 1, "files", files, "ranges", ranges, "state");
    Bytes manifest = inside("step-4/MANIFEST.json"), path = {0};
    sign(root);
    assert_ok(json_write_atomic(manifest.data, root));
    assert_int_equal(newest(&path, NULL), 4);
    Checkpoint *c;
    assert_ok(checkpoint_open(&c, path.data));
    for (int first = 0; first <= 5; first++)
        for (int count = 0; count <= 5 - first; count++) {
            assert_ok(checkpoint_read(c, "x", first, count, out));
            assert_memory_equal(out, x + first, (size_t)count * sizeof *out);
        }
    checkpoint_close(c);
    json_decref(root);
    bytes_free(&manifest);
    bytes_free(&path);
}

// ---- what must not pass

static void a_value_that_is_not_finite_is_not_saved(void **state)
{
    start_afresh();
    save_step(1, 1);
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        Run *r = run_at(2, 1);
        r->m_norm[5] = bad[i];
        assert_refused(save(r), "tensor optim.m.model.norm.weight: element 5 is");
        assert_int_equal(assert_newest_is_whole(), 1);
        assert_int_equal(count_of(".tmp-"), 0);
        free(r);
    }
}

static bool device_fails(void *context, int64_t first, int64_t count, float *out)
{
    return fail("the device reported an error");
}

static void a_tensor_that_cannot_be_read_is_not_saved(void **state)
{
    start_afresh();
    save_step(1, 1);
    Run *r = run_at(2, 1);
    r->tensors[2].read = device_fails;
    assert_refused(save(r), "saving the checkpoint of step 2: the device reported an error");
    assert_int_equal(assert_newest_is_whole(), 1);
    assert_int_equal(count_of(".tmp-"), 0);
    free(r);
}

static void a_changed_byte_is_found_and_named(void **state)
{
    start_afresh();
    save_step(1, 0);
    change_byte("step-1/shard-00000.safetensors", 1); // the last element of the last tensor that has any
    Bytes path = inside("step-1");
    Checkpoint *c;
    float out[EMBEDDING];
    assert_ok(checkpoint_open(&c, path.data));
    assert_ok(checkpoint_read(c, "model.embed_tokens.weight", 0, EMBEDDING, out));
    assert_refused(checkpoint_read(c, "optim.m.model.norm.weight", 0, 1, out),
                   "shard-00000.safetensors: tensor optim.m.model.norm.weight, elements 0 to 7");
    assert_refused(checkpoint_verify(c), "shard-00000.safetensors: the bytes do not match");
    checkpoint_close(c);
    bytes_free(&path);
}

static void a_name_that_is_there_twice_is_refused(void **state)
{
    start_afresh();
    float x = 1;
    const StateTensor twice[] = {array("x", 1, &x), array("x", 1, &x)};
    assert_refused(checkpoint_save(folder, 1, twice, 2, NULL, 0), "tensor x: its name occurs twice");
    Bytes path = {0};
    assert_int_equal(newest(&path, NULL), -1);
    bytes_free(&path);
}

static void a_manifest_that_does_not_add_up_is_refused(void **state)
{
    static const char *const cases[][3] = {
        {"\"dereason checkpoint\"", "\"something\"", "format is \"something\""},
        {"\"version\": 2", "\"version\": 1", "version 1"},
        {"\"finite\": true", "\"finite\": false", "not finite"},
        {"\"step\": 1", "\"step\": -1", "\"step\""},
        {"\"name\": \"shard-00000.safetensors\"", "\"name\": \"../shard-00000.safetensors\"", "plain name"},
        {"\"name\": \"shard-00000.safetensors\"", "\"name\": \"shard-00001.safetensors\"", "the file is missing"},
        {"\"elements\": 1000", "\"elements\": 1001", "1000 of 1001 elements"},
        {"\"length\": 1000", "\"length\": 1001", "\"length\""},
        {"\"length\": 1000", "\"length\": 999", "999 of 1000 elements"},
        {"\"offset\": 0", "\"offset\": 1", "\"length\""},
        {"\"byte\": ", "\"byte\": 9223372036854775000, \"x\": ", "reaches beyond the end"},
        {"\"byte\": ", "\"byte\": -1, \"x\": ", "\"byte\""},
        {"\"xxh3\": \"", "\"xxh3\": \"g", "16 hexadecimal digits"},
        {"\"file\": \"shard-00000.safetensors\"", "\"file\": \"other\"", "not in the list of files"},
        {"\"model.norm.weight\"", "\"model.embed_tokens.weight\"", "its ranges overlap"},
        {"\"state\": {", "\"state\": 7, \"x\": {", "\"state\" must be an object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_afresh();
        save_step(1, 0);
        replace_text("step-1/MANIFEST.json", cases[i][0], cases[i][1]);
        Bytes path = inside("step-1");
        Checkpoint *c;
        sign_again("step-1/MANIFEST.json"); // what is found is not only that somebody has changed it
        assert_refused(checkpoint_open(&c, path.data), cases[i][2]);
        assert_null(c);
        bytes_free(&path);
    }
}

static void a_digit_that_changes_in_a_manifest_is_found(void **state)
{
    static const char *const cases[][2] = {
        {"\"seed\": 7", "\"seed\": 8"},         {"\"half\": 0.5", "\"half\": 0.25"},
        {"\"name\": \"x\"", "\"name\": \"y\""}, {"\"step\": 1", "\"step\": 11"},
        {"\"world\": 1", "\"world\": 2"},       {"\"elements\": 1000", "\"elements\": 999"},
    };
    json_t *facts = json_pack("{s:i, s:f, s:s}", "seed", 7, "half", 0.5, "name", "x");
    Bytes path = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_afresh();
        Run *older = run_at(0, 0), *r = run_at(1, 0);
        assert_ok(save(older) && checkpoint_save(folder, 1, r->tensors, 5, facts, 0));
        assert_int_equal(newest(&path, NULL), 1);
        replace_text("step-1/MANIFEST.json", cases[i][0], cases[i][1]);
        Bytes damaged = inside("step-1");
        Checkpoint *c;
        assert_refused(checkpoint_open(&c, damaged.data), "it does not match its checksum");
        assert_int_equal(newest(&path, NULL), 0); // the older one
        bytes_free(&damaged);
        free(older);
        free(r);
    }
    json_decref(facts);
    bytes_free(&path);
}

static void a_broken_checkpoint_is_passed_over_for_the_older_one(void **state)
{
    start_afresh();
    save_step(1, 0);
    save_step(2, 0);
    save_step(3, 0);
    save_step(10, 0);
    Bytes shard = inside("step-10/shard-00000.safetensors"), manifest = inside("step-3/MANIFEST.json");
    Bytes warnings = {0}, path = {0};
    assert_int_equal(unlink(shard.data), 0);
    assert_int_equal(truncate(manifest.data, 100), 0);
    assert_int_equal(newest(&path, &warnings), 2);
    assert_holds(path.data, 2, 2);
    assert_non_null(strstr(warnings.data, "step-10 is not whole"));
    assert_non_null(strstr(warnings.data, "the file is missing"));
    assert_non_null(strstr(warnings.data, "step-3 is not whole"));
    assert_string_equal(error_text(), "");
    bytes_free(&shard);
    shard = inside("step-2/shard-00000.safetensors");
    assert_int_equal(truncate(shard.data, 3000), 0);
    bytes_clear(&warnings);
    assert_int_equal(newest(&path, &warnings), 1);
    assert_non_null(strstr(warnings.data, "it has 3000 bytes"));
    bytes_free(&shard);
    bytes_free(&manifest);
    bytes_free(&warnings);
    bytes_free(&path);
}

static void a_folder_without_checkpoints_is_no_error(void **state)
{
    start_afresh();
    Bytes path = {0};
    int64_t step;
    assert_int_equal(newest(&path, NULL), -1);
    assert_ok(checkpoint_newest(&path, &step, "/nowhere/checkpoints", NULL));
    assert_int_equal(step, -1);
    static const char *const names[] = {
        "step-", "step-1x", "step-01", "step--1", "step-1.tmp-2-3", "step-99999999999999999999", "step-7.abandoned",
        "other",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Bytes made = inside(names[i]);
        assert_ok(folder_make(made.data));
        bytes_free(&made);
    }
    Bytes warnings = {0};
    assert_int_equal(newest(&path, &warnings), -1);
    assert_int_equal(warnings.size, 0);
    bytes_free(&path);
}

// ---- old ones, later ones, left-overs

static void the_newest_k_are_kept(void **state)
{
    start_afresh();
    for (int64_t step = 8; step <= 12; step++)
        save_step(step, 2);
    assert_int_equal(count_of("step-"), 2);
    assert_int_equal(count_of("step-11"), 1);
    assert_int_equal(assert_newest_is_whole(), 12);
}

static void a_broken_one_does_not_count_among_those_kept(void **state)
{
    start_afresh();
    save_step(1, 0);
    save_step(2, 0);
    Bytes manifest = inside("step-2/MANIFEST.json");
    assert_int_equal(truncate(manifest.data, 10), 0);
    save_step(3, 2);
    assert_int_equal(count_of("step-1"), 1); // 3 and 1 are the two that are whole
    save_step(4, 2);
    assert_int_equal(count_of("step-"), 2);
    bytes_free(&manifest);
}

static void later_steps_of_a_run_that_was_given_up_are_set_aside(void **state)
{
    start_afresh();
    save_step(100, 0);
    save_step(300, 0);
    save_step(150, 1);
    assert_int_equal(assert_newest_is_whole(), 150);
    assert_int_equal(count_of("step-300.abandoned"), 1);
    assert_int_equal(count_of("step-100"), 0);
}

static void saving_a_step_again_replaces_it(void **state)
{
    start_afresh();
    save_step(5, 0);
    Run *r = run_at(6, 0);
    r->step = 5;
    assert_ok(save(r));
    Bytes path = {0};
    assert_int_equal(newest(&path, NULL), 5);
    assert_holds(path.data, 5, 6);
    assert_int_equal(count_of("step-"), 1);
    bytes_free(&path);
    free(r);
}

static void what_killed_attempts_left_is_removed(void **state)
{
    start_afresh();
    Bytes dead = inside("step-7.tmp-99-1"), file = inside("step-7.tmp-99-1/shard-00000.safetensors");
    Bytes hint = inside("latest.tmp-99");
    assert_ok(folder_make(dead.data));
    assert_ok(file_write_atomic(file.data, "x", 1));
    assert_ok(file_write_atomic(hint.data, "x", 1));
    save_step(8, 0);
    assert_int_equal(count_of(".tmp-"), 0);
    bytes_free(&dead);
    bytes_free(&file);
    bytes_free(&hint);
}

// ---- the disk

// Everything is synced before the rename that makes it visible: a power cut keeps only what was.
static void the_order_on_the_disk_is_the_one_that_is_promised(void **state)
{
    static const char *const parts[] = {
        "MMM",    // the folder, its parent, the temporary folder
        "AWWWSS", // the shard: reserved, length, header, the tensor; synced, its folder synced
        "WSRS",   // the manifest, last
        "SRS",    // step-1: its folder synced, renamed, the folder of checkpoints synced
        "WSRS",   // latest
    };
    float x = 1;
    StateTensor tensor = array("x", 1, &x);
    Bytes promised = {0};
    start_afresh();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_ok(bytes_text(&promised, parts[i]));
    failpoint_arm(FAIL_ERROR, INT32_MAX);
    bool ok = checkpoint_save(folder, 1, &tensor, 1, NULL, 1);
    fail_kind = FAIL_NOT;
    assert_true(ok);
    assert_string_equal(fail_log, promised.data);
    bytes_free(&promised);
}

static void a_kill_at_any_instant_leaves_a_whole_newest(void **state)
{
    start_afresh();
    save_step(0, 1);
    int64_t last = 0;
    int after = 0;
    for (bool finished = false; !finished; after++) {
        assert_true(after < 1000);
        Run *r = run_at(last + 1, 1);
        finished = survives_kill(after, save, r);
        assert_none_is_broken();
        int64_t step = assert_newest_is_whole();
        assert_true(step == last || step == last + 1);
        assert_true(!finished || step == last + 1);
        last = step;
        free(r);
    }
    assert_true(after > 20); // the protocol has more instants than that
    assert_int_equal(count_of(".tmp-"), 0);
    assert_int_equal(count_of("step-"), 1);
    print_message("killed at each of %d changes of the disk\n", after - 1);
}

static void a_kill_while_a_step_is_replaced_leaves_the_old_or_the_new(void **state)
{
    start_afresh();
    save_step(5, 1);
    int64_t values = 5;
    bool finished = false;
    for (int after = 0; !finished; after++) {
        assert_true(after < 1000);
        Run *r = run_at(values + 1, 1), *old = run_at(values, 1);
        Bytes path = {0};
        Checkpoint *c;
        float x;
        r->step = 5;
        finished = survives_kill(after, save, r);
        assert_int_equal(newest(&path, NULL), 5);
        assert_ok(checkpoint_open(&c, path.data));
        assert_ok(checkpoint_read(c, "model.norm.weight", 0, 1, &x));
        checkpoint_close(c);
        values += x == r->norm[0];
        assert_holds(path.data, 5, values);
        bytes_free(&path);
        free(old);
        free(r);
    }
}

static void an_error_at_any_instant_leaves_a_whole_newest(void **state)
{
    start_afresh();
    save_step(0, 1);
    int64_t last = 0;
    for (int after = 0, hit = 1; hit; after++) {
        assert_true(after < 1000);
        Run *r = run_at(last + 1, 1);
        failpoint_arm(FAIL_ERROR, after);
        bool ok = save(r);
        hit = fail_calls > after;
        failpoint_arm(FAIL_NOT, 0);
        int64_t step = assert_newest_is_whole();
        assert_true(step == last + 1 || (step == last && !ok));
        last = step;
        free(r);
    }
}

static void a_full_disk_is_noticed_before_the_first_byte(void **state)
{
    start_afresh();
    save_step(1, 1);
    Run *r = run_at(2, 1);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) { // 4,000 bytes a file: less than the shard needs
        struct rlimit limit = {4000, 4000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        bool refused = !save(r) && strstr(error_text(), "reserving 8") != NULL &&
                       strstr(error_text(), "saving the checkpoint of step 2") != NULL;
        _exit(refused ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(assert_newest_is_whole(), 1);
    assert_int_equal(count_of(".tmp-"), 0);
    free(r);
}

static void a_folder_that_cannot_be_made_is_an_error(void **state)
{
    float x = 1;
    StateTensor tensor = array("x", 1, &x);
    assert_refused(checkpoint_save("/proc/nowhere/checkpoints", 1, &tensor, 1, NULL, 1), "/proc/nowhere");
    assert_refused(checkpoint_save(folder, -1, &tensor, 1, NULL, 1), "step -1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_what_is_read),
        cmocka_unit_test(a_range_is_read_alone),
        cmocka_unit_test(a_tensor_larger_than_a_piece_is_saved_whole),
        cmocka_unit_test(a_shard_is_a_valid_safetensors_file),
        cmocka_unit_test(a_tensor_may_lie_in_several_files),
        cmocka_unit_test(a_value_that_is_not_finite_is_not_saved),
        cmocka_unit_test(a_tensor_that_cannot_be_read_is_not_saved),
        cmocka_unit_test(a_changed_byte_is_found_and_named),
        cmocka_unit_test(a_name_that_is_there_twice_is_refused),
        cmocka_unit_test(a_manifest_that_does_not_add_up_is_refused),
        cmocka_unit_test(a_digit_that_changes_in_a_manifest_is_found),
        cmocka_unit_test(a_broken_checkpoint_is_passed_over_for_the_older_one),
        cmocka_unit_test(a_folder_without_checkpoints_is_no_error),
        cmocka_unit_test(the_newest_k_are_kept),
        cmocka_unit_test(a_broken_one_does_not_count_among_those_kept),
        cmocka_unit_test(later_steps_of_a_run_that_was_given_up_are_set_aside),
        cmocka_unit_test(saving_a_step_again_replaces_it),
        cmocka_unit_test(what_killed_attempts_left_is_removed),
        cmocka_unit_test(the_order_on_the_disk_is_the_one_that_is_promised),
        cmocka_unit_test(a_kill_at_any_instant_leaves_a_whole_newest),
        cmocka_unit_test(a_kill_while_a_step_is_replaced_leaves_the_old_or_the_new),
        cmocka_unit_test(an_error_at_any_instant_leaves_a_whole_newest),
        cmocka_unit_test(a_full_disk_is_noticed_before_the_first_byte),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
