// Checkpoints: what is saved is what is read, and nothing damaged, cut or not finite passes. Which checkpoints are
// kept, and the disk: test_checkpoint_disk.c.
#include "test/support/made_checkpoints.h"
#include "checkpoint/checkpoint_internal.h"
#include "safetensors/safetensors.h"
#include "system/phase.h"

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
    assert_ok(checkpoint_save(folder, 1, &tensor, 1, NULL, &KEEP_ALL));
    assert_ok(checkpoint_open(&c, path.data));
    assert_ok(checkpoint_read(c, "x", 0, LARGE, y));
    assert_memory_equal(x, y, LARGE * sizeof *x);
    checkpoint_close(c);
    bytes_free(&path);
    free(x);
    free(y);
}

// On a slow disk the checksums of a large file take longer than anybody waits for a sign of life.
static void each_piece_of_a_checksum_is_progress(void **state)
{
    start_afresh();
    float *x = random_floats(LARGE, 2), out;
    Checkpoint *c;
    Bytes path = inside("step-1");
    StateTensor tensor = array("x", LARGE, x);
    assert_ok(checkpoint_save(folder, 1, &tensor, 1, NULL, &KEEP_ALL));
    assert_ok(checkpoint_open(&c, path.data));
    const uint64_t pieces = sizeof *x * LARGE / MAPPED_PIECE;
    phase_watch();
    uint64_t before = phase_now().progress;
    assert_ok(checkpoint_verify(c, 0, 1));
    assert_true(pieces >= 4 && phase_now().progress - before >= pieces);
    before = phase_now().progress;
    assert_ok(checkpoint_read(c, "x", 5, 1, &out)); // its whole range is verified
    assert_true(phase_now().progress - before >= pieces);
    checkpoint_close(c);
    bytes_free(&path);
    free(x);
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
    assert_refused(checkpoint_verify(c, 0, 1), "shard-00000.safetensors: the bytes do not match");
    assert_refused(checkpoint_verify(c, 0, 2), "shard-00000.safetensors: the bytes do not match");
    assert_ok(checkpoint_verify(c, 1, 2)); // which has no file
    checkpoint_close(c);
    bytes_free(&path);
}

static void a_name_that_is_there_twice_is_refused(void **state)
{
    start_afresh();
    float x = 1;
    const StateTensor twice[] = {array("x", 1, &x), array("x", 1, &x)};
    assert_refused(checkpoint_save(folder, 1, twice, 2, NULL, &KEEP_ALL), "tensor x: its name occurs twice");
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

// As large as that of thousands of ranks, with spaces for ranges.
static void a_manifest_of_many_ranks_is_read(void **state)
{
    start_afresh();
    save_step(1, 0);
    Bytes path = inside("step-1"), manifest = inside("step-1/MANIFEST.json");
    static char spaces[1 << 20];
    memset(spaces, ' ', sizeof spaces);
    FILE *f = fopen(manifest.data, "a");
    for (int i = 0; i < 300; i++)
        assert_int_equal(fwrite(spaces, 1, sizeof spaces, f), sizeof spaces);
    assert_int_equal(fclose(f), 0);
    Checkpoint *c;
    assert_ok(checkpoint_open(&c, path.data));
    checkpoint_close(c);
    bytes_free(&path);
    bytes_free(&manifest);
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
        assert_ok(save(older) && checkpoint_save(folder, 1, r->tensors, 5, facts, &KEEP_ALL));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_what_is_read),
        cmocka_unit_test(a_range_is_read_alone),
        cmocka_unit_test(a_tensor_larger_than_a_piece_is_saved_whole),
        cmocka_unit_test(each_piece_of_a_checksum_is_progress),
        cmocka_unit_test(a_shard_is_a_valid_safetensors_file),
        cmocka_unit_test(a_tensor_may_lie_in_several_files),
        cmocka_unit_test(a_value_that_is_not_finite_is_not_saved),
        cmocka_unit_test(a_tensor_that_cannot_be_read_is_not_saved),
        cmocka_unit_test(a_changed_byte_is_found_and_named),
        cmocka_unit_test(a_name_that_is_there_twice_is_refused),
        cmocka_unit_test(a_manifest_that_does_not_add_up_is_refused),
        cmocka_unit_test(a_manifest_of_many_ranks_is_read),
        cmocka_unit_test(a_digit_that_changes_in_a_manifest_is_found),
        cmocka_unit_test(a_broken_checkpoint_is_passed_over_for_the_older_one),
        cmocka_unit_test(a_folder_without_checkpoints_is_no_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
