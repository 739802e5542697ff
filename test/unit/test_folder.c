// Model folders: which one a user means, what an exported one holds, and that a kill at any change of the disk leaves
// the old folder or the new one, never half of one. The failpoints stand in for the disk (test/support/failpoints.h).
#include "pretrained/folder.h"
#include "pretrained/config_json.h"
#include "system/files.h"
#include "test/support/check.h"
#include "test/support/failpoints.h"
#include <unistd.h>

static char folder[64];

static int set_up(void **state)
{
    strcpy(folder, "/tmp/test_folder-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state) { return folder_remove(folder) ? 0 : -1; }

static void start_afresh(void)
{
    assert_ok(folder_remove(folder));
    assert_ok(folder_make(folder));
}

static Bytes inside(const char *name)
{
    Bytes path = {0};
    assert_ok(bytes_printf(&path, "%s/%s", folder, name));
    return path;
}

static void make_folder(const char *name)
{
    Bytes path = inside(name);
    assert_ok(folder_make(path.data));
    bytes_free(&path);
}

static void write_text(const char *name, const char *text)
{
    Bytes path = inside(name);
    assert_ok(file_write_atomic(path.data, text, strlen(text)));
    bytes_free(&path);
}

static bool is_there(const char *name)
{
    Bytes path = inside(name);
    bool there = file_exists(path.data);
    bytes_free(&path);
    return there;
}

static json_t *read_json(const char *name)
{
    Bytes path = inside(name);
    json_t *root = json_read(path.data, 1 << 20);
    if (root == NULL)
        fail_msg("%s", error_text());
    bytes_free(&path);
    return root;
}

static Bytes read_text(const char *name)
{
    Bytes path = inside(name), text = {0};
    assert_ok(file_read(&text, path.data, 1 << 20));
    bytes_free(&path);
    return text;
}

static size_t count_names(void)
{
    char **names;
    size_t count;
    assert_ok(folder_list(&names, &count, folder));
    names_free(names, count);
    return count;
}

// ---- finding

static bool finds(const char *name, const char *wanted)
{
    Bytes given = inside(name), path = {0}, expected = inside(wanted);
    bool ok = model_folder_find(&path, given.data);
    if (ok)
        assert_string_equal(path.data, expected.data);
    bytes_free(&given);
    bytes_free(&path);
    bytes_free(&expected);
    return ok;
}

static void a_model_folder_is_itself(void **state)
{
    start_afresh();
    make_folder("m");
    write_text("m/config.json", "{}");
    assert_ok(finds("m", "m"));
    assert_ok(finds("m/", "m/"));
}

static void the_output_of_a_training_means_its_model(void **state)
{
    start_afresh();
    make_folder("out/model");
    make_folder("out/checkpoints/step-3");
    write_text("out/model/config.json", "{}");
    assert_ok(finds("out", "out/model"));
    assert_ok(finds("out/", "out/model"));
}

static void a_checkpoint_is_refused_with_the_program_that_exports_it(void **state)
{
    start_afresh();
    make_folder("out/checkpoints/step-3");
    write_text("out/checkpoints/step-3/MANIFEST.json", "{}");
    assert_refused(finds("out/checkpoints/step-3", ""), "build/export");
    assert_refused(finds("out", ""), "build/export");
}

static void what_is_no_model_is_refused_with_what_it_lacks(void **state)
{
    start_afresh();
    make_folder("empty");
    assert_refused(finds("empty", ""), "config.json is missing");
    assert_refused(finds("Qwen/Qwen3-4B", ""), "hf download");
    write_text("file", "x");
    assert_refused(finds("file", ""), "a file, but a model is a folder");
    Bytes path = {0};
    assert_refused(model_folder_find(&path, ""), "no such folder");
    bytes_free(&path);
}

// ---- exporting

typedef struct Export {
    FolderExport e;
    ModelConfig config;
    float values[2][6];
    int64_t fails_at; // the tensor that cannot be read, -1: none
} Export;

static bool give(void *context, int64_t tensor, int64_t first, int64_t count, float *out)
{
    Export *x = context;
    if (tensor == x->fails_at)
        return fail("the source has no tensor %" PRId64, tensor);
    memcpy(out, x->values[tensor] + first, (size_t)count * sizeof *out);
    return true;
}

static const WeightPlan plan[] = {{"model.embed_tokens.weight", 2, {2, 3}}, {"model.norm.weight", 1, {6}}};

static Export *export_of(float value)
{
    Export *x = allocate(1, sizeof *x);
    assert_non_null(x);
    assert_ok(config_read(&x->config, "test/fixtures/models/tied/config.json"));
    for (int i = 0; i < 6; i++)
        x->values[0][i] = x->values[1][i] = value + (float)i;
    x->fails_at = -1;
    x->e = (FolderExport){.config = &x->config,
                          .type = WEIGHT_BF16,
                          .plan = plan,
                          .count = 2,
                          .source = give,
                          .context = x,
                          .end_tokens = {7, 5},
                          .end_count = 2};
    return x;
}

static bool export_to(Export *x, const char *name)
{
    Bytes path = inside(name);
    bool ok = model_folder_export(path.data, &x->e);
    bytes_free(&path);
    return ok;
}

// The first value of the model in folder/name, after all of it was read.
static float value_of(const char *name)
{
    Bytes path = inside(name);
    Weights *w;
    float out[6], norm[6];
    ModelConfig config;
    assert_ok(weights_open(&w, path.data));
    assert_ok(weights_read(weights_find(w, "model.embed_tokens.weight"), 0, 6, out));
    assert_ok(weights_read(weights_find(w, "model.norm.weight"), 0, 6, norm));
    assert_memory_equal(out, norm, sizeof out);
    weights_close(w);
    assert_ok(bytes_text(&path, "/config.json"));
    assert_ok(config_read(&config, path.data));
    bytes_free(&path);
    return out[0];
}

static void an_exported_folder_is_a_model_folder(void **state)
{
    start_afresh();
    Export *x = export_of(1);
    assert_ok(export_to(x, "deep/down/model/"));
    assert_true(value_of("deep/down/model") == 1);
    assert_ok(finds("deep/down/model", "deep/down/model"));
    json_t *config = read_json("deep/down/model/config.json"),
           *settings = read_json("deep/down/model/generation_config.json");
    assert_string_equal(json_string_value(json_object_get(config, "torch_dtype")), "bfloat16");
    assert_int_equal(json_array_size(json_object_get(settings, "eos_token_id")), 2);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(settings, "eos_token_id"), 0)), 7);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(settings, "eos_token_id"), 1)), 5);
    assert_false(is_there("deep/down/model/chat_template.jinja"));
    json_decref(config);
    json_decref(settings);
    free(x);
}

static void make_origin(void)
{
    make_folder("origin");
    write_text("origin/tokenizer.json", "{\"tokens\": 1}");
    write_text("origin/vocab.json", "{}");
    write_text("origin/merges.txt", "#version: 0.2\n");
    write_text("origin/tokenizer_config.json", "{\"eos_token\": \"<|endoftext|>\", \"pad_token\": \"<|endoftext|>\","
                                               " \"chat_template\": \"old\"}");
    write_text("origin/special_tokens_map.json", "{\"eos_token\": {\"content\": \"<|endoftext|>\"}}");
    write_text("origin/chat_template.jinja", "old");
    write_text("origin/generation_config.json", "{\"bos_token_id\": 5, \"do_sample\": true, \"temperature\": 0.6,"
                                                " \"eos_token_id\": 5, \"max_new_tokens\": 2048}");
    write_text("origin/README.md", "not ours");
}

static void the_tokenizer_and_the_sampling_settings_are_taken_over(void **state)
{
    start_afresh();
    make_origin();
    Export *x = export_of(1);
    Bytes origin = inside("origin");
    x->e.origin = origin.data;
    assert_ok(export_to(x, "model"));
    static const char *const same[] = {
        "tokenizer.json",          "vocab.json",         "merges.txt", "tokenizer_config.json",
        "special_tokens_map.json", "chat_template.jinja"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        char from[64], to[64];
        snprintf(from, sizeof from, "origin/%s", same[i]);
        snprintf(to, sizeof to, "model/%s", same[i]);
        Bytes a = read_text(from), b = read_text(to);
        assert_string_equal(a.data, b.data);
        bytes_free(&a);
        bytes_free(&b);
    }
    assert_false(is_there("model/added_tokens.json"));
    assert_false(is_there("model/README.md"));
    json_t *settings = read_json("model/generation_config.json");
    assert_true(json_number_value(json_object_get(settings, "temperature")) == 0.6);
    assert_true(json_is_true(json_object_get(settings, "do_sample")));
    assert_null(json_object_get(settings, "max_new_tokens")); // a server would cap its answers by it
    assert_int_equal(json_array_size(json_object_get(settings, "eos_token_id")), 2);
    json_decref(settings);
    bytes_free(&origin);
    free(x);
}

static void the_trained_template_and_end_replace_the_old_ones(void **state)
{
    start_afresh();
    make_origin();
    Export *x = export_of(1);
    Bytes origin = inside("origin");
    x->e.origin = origin.data;
    x->e.template_text = "{# chatml #}new\n";
    x->e.chat_end = true;
    assert_ok(export_to(x, "model"));
    Bytes template = read_text("model/chat_template.jinja");
    assert_string_equal(template.data, "{# chatml #}new\n");
    json_t *tokenizer = read_json("model/tokenizer_config.json"), *map = read_json("model/special_tokens_map.json");
    assert_string_equal(json_string_value(json_object_get(tokenizer, "chat_template")), "{# chatml #}new\n");
    assert_string_equal(json_string_value(json_object_get(tokenizer, "eos_token")), "<|im_end|>");
    assert_string_equal(json_string_value(json_object_get(tokenizer, "pad_token")), "<|endoftext|>");
    assert_string_equal(json_string_value(json_object_get(map, "eos_token")), "<|im_end|>");
    assert_null(json_object_get(map, "chat_template"));
    json_decref(tokenizer);
    json_decref(map);
    bytes_free(&template);
    bytes_free(&origin);
    free(x);
}

// A number that is not ours keeps its characters, also beside one of more than 64 bits.
static void what_is_not_changed_keeps_its_spelling(void **state)
{
    start_afresh();
    make_origin();
    write_text("origin/tokenizer_config.json",
               "{\n  \"model_max_length\": 1000000000000000019884624838656,\n  \"eos_token\": \"a\",\n"
               "  \"max_length\": 512,\n  \"scale\": 1.50e+2\n}\n");
    write_text("origin/generation_config.json",
               "{\"top_p\": 0.950, \"max_length\": 20, \"seed\": 36893488147419103232}");
    Export *x = export_of(1);
    Bytes origin = inside("origin");
    x->e.origin = origin.data;
    x->e.chat_end = true;
    assert_ok(export_to(x, "model"));
    Bytes tokenizer = read_text("model/tokenizer_config.json"), settings = read_text("model/generation_config.json");
    assert_string_equal(
        tokenizer.data,
        "{\n  \"model_max_length\": 1000000000000000019884624838656,\n  \"eos_token\": \"<|im_end|>\",\n"
        "  \"max_length\": 512,\n  \"scale\": 1.50e+2\n}\n");
    assert_non_null(strstr(settings.data, "{\"top_p\": 0.950, \"seed\": 36893488147419103232,"));
    bytes_free(&tokenizer);
    bytes_free(&settings);
    bytes_free(&origin);
    free(x);
}

// The folder says that it is transformers 4's, which has no list of that name and no such class.
static void a_tokenizer_of_transformers_5_is_spelled_as_4_reads_it(void **state)
{
    start_afresh();
    make_origin();
    write_text("origin/tokenizer_config.json",
               "{\"extra_special_tokens\": [\"<|a|>\", \"<|b|>\"], \"tokenizer_class\": \"TokenizersBackend\","
               " \"additional_special_tokens\": [\"<|b|>\", \"<|c|>\"], \"model_max_length\": 1e30}");
    Export *x = export_of(1);
    Bytes origin = inside("origin");
    x->e.origin = origin.data;
    assert_ok(export_to(x, "model"));
    Bytes text = read_text("model/tokenizer_config.json");
    assert_string_equal(text.data, "{ \"tokenizer_class\": \"PreTrainedTokenizerFast\", \"additional_special_tokens\": "
                                   "[\"<|b|>\", \"<|c|>\", \"<|a|>\"], \"model_max_length\": 1e30}");
    bytes_free(&text);
    write_text("origin/tokenizer_config.json",
               "{\"extra_special_tokens\": {\"image_token\": \"<|i|>\"}}"); // 4's own form
    assert_ok(export_to(x, "model"));
    text = read_text("model/tokenizer_config.json");
    assert_string_equal(text.data, "{\"extra_special_tokens\": {\"image_token\": \"<|i|>\"}}");
    bytes_free(&text);
    bytes_free(&origin);
    free(x);
}

static void a_model_is_replaced_whole(void **state)
{
    start_afresh();
    Export *x = export_of(1), *y = export_of(100);
    x->e.file_limit = 12; // a shard each
    assert_ok(export_to(x, "model"));
    assert_true(is_there("model/model.safetensors.index.json"));
    assert_ok(export_to(y, "model"));
    assert_true(value_of("model") == 100);
    assert_false(is_there("model/model.safetensors.index.json")); // nothing of the old one stays
    assert_int_equal(count_names(), 1);
    free(x);
    free(y);
}

static void a_model_can_be_exported_over_its_own_origin(void **state)
{
    start_afresh();
    Export *x = export_of(3);
    Bytes origin = inside("origin");
    assert_ok(export_to(x, "origin"));
    make_origin();
    Bytes readme = inside("origin/README.md");
    assert_int_equal(unlink(readme.data), 0);
    x->e.origin = origin.data;
    assert_ok(export_to(x, "origin"));
    bytes_free(&readme);
    assert_true(value_of("origin") == 3);
    assert_true(is_there("origin/tokenizer.json"));
    bytes_free(&origin);
    free(x);
}

static void a_link_to_a_model_stays_a_link(void **state)
{
    start_afresh();
    Export *x = export_of(1);
    Bytes link = inside("link");
    assert_ok(export_to(x, "real"));
    assert_int_equal(symlink("real", link.data), 0);
    x->values[0][0] = x->values[1][0] = 9;
    assert_ok(export_to(x, "link"));
    assert_true(value_of("real") == 9);
    struct stat facts;
    assert_int_equal(lstat(link.data, &facts), 0);
    assert_true(S_ISLNK(facts.st_mode));
    bytes_free(&link);
    free(x);
}

static void a_folder_of_other_things_is_not_replaced(void **state)
{
    start_afresh();
    Export *x = export_of(1);
    make_folder("thesis");
    write_text("thesis/chapter-1.tex", "years of work");
    write_text("file", "x");
    assert_refused(export_to(x, "thesis"), "is not a model; choose another name");
    assert_refused(export_to(x, "file"), "there is a file of that name");
    assert_true(is_there("thesis/chapter-1.tex"));
    make_folder("empty");
    assert_ok(export_to(x, "empty"));
    free(x);
}

// Puts b in the place of a in a text of the folder.
static void respell(const char *name, const char *a, const char *b)
{
    Bytes text = read_text(name), other = {0};
    const char *at = strstr(text.data, a);
    assert_non_null(at);
    assert_ok(bytes_append(&other, text.data, (size_t)(at - text.data)) && bytes_text(&other, b) &&
              bytes_text(&other, at + strlen(a)));
    write_text(name, other.data);
    bytes_free(&text);
    bytes_free(&other);
}

static void a_model_of_somebody_else_is_not_replaced(void **state)
{
    static const char *const others[][2] = {{"1e-6", "1e-06"},                               // as Python writes it
                                            {"\"use_cache\": true", "\"use_cache\": false"}, // which nobody reads here
                                            {"{", "{\n  \"_name_or_path\": \"mine\","},      // nor this
                                            {"\"torch_dtype\": ", "\"dtype\": "},            // transformers 5
                                            {"\"vocab_size\": ", "\"vocab_size\":  "}};      // by an editor
    Export *x = export_of(7), *y = export_of(8);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        start_afresh();
        assert_ok(export_to(x, "model"));
        respell("model/config.json", others[i][0], others[i][1]);
        assert_refused(export_to(y, "model"), "not exported here, or its config.json was changed");
        assert_true(value_of("model") == 7);
        assert_int_equal(count_names(), 1); // nothing is left beside it
    }
    start_afresh();
    make_folder("model");
    write_text("model/config.json", "{}");
    assert_refused(export_to(x, "model"), "choose another name");
    free(x);
    free(y);
}

static void what_somebody_has_put_beside_a_model_is_not_lost(void **state)
{
    static const char *const names[] = {"README.md", ".gitattributes", "model.safetensors.bak",
                                        "adapter_model.safetensors"};
    Export *x = export_of(7), *y = export_of(8);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        snprintf(path, sizeof path, "model/%s", names[i]);
        start_afresh();
        assert_ok(export_to(x, "model"));
        write_text(path, "mine");
        assert_refused(export_to(y, "model"), names[i]);
        assert_non_null(strstr(error_text(), "would be deleted; move it, or choose another name"));
        assert_true(is_there(path) && value_of("model") == 7);
        Bytes mine = inside(path);
        assert_int_equal(unlink(mine.data), 0); // moved: the advice works
        assert_ok(export_to(y, "model"));
        assert_true(value_of("model") == 8);
        bytes_free(&mine);
    }
    free(x);
    free(y);
}

static void a_failure_leaves_the_old_model_and_nothing_else(void **state)
{
    start_afresh();
    Export *x = export_of(1), *y = export_of(2);
    assert_ok(export_to(x, "model"));
    y->fails_at = 1;
    assert_refused(export_to(y, "model"), "the source has no tensor 1");
    assert_refused(export_to(y, "other"), "exporting the model to");
    y->fails_at = -1;
    y->values[1][4] = NAN;
    assert_refused(export_to(y, "model"), "tensor model.norm.weight: element 4 is");
    y->e.template_text = "\xff";
    y->e.origin = "test/fixtures/tokenizer/tiny";
    assert_refused(export_to(y, "model"), "not UTF-8");
    assert_true(value_of("model") == 1);
    assert_int_equal(count_names(), 1);
    free(x);
    free(y);
}

static bool export_in_child(void *context) { return export_to(context, "model"); }

static void a_kill_at_any_instant_leaves_the_old_model_or_the_new(void **state)
{
    start_afresh();
    make_origin();
    Bytes origin = inside("origin");
    Export *first = export_of(0);
    assert_ok(export_to(first, "model"));
    float value = 0;
    int after = 0;
    for (bool finished = false; !finished; after++) {
        assert_true(after < 1000);
        Export *x = export_of(value + 1);
        x->e.origin = origin.data;
        x->e.chat_end = true;
        finished = survives_kill(after, export_in_child, x);
        float now = value_of("model");
        assert_true(now == value || now == value + 1);
        assert_true(!finished || now == value + 1);
        value = now;
        free(x);
    }
    assert_true(after > 20);
    assert_int_equal(count_names(), 2); // the last export removed what the killed ones left
    bytes_free(&origin);
    free(first);
}

static void an_error_at_any_instant_leaves_the_old_model_or_the_new(void **state)
{
    start_afresh();
    Export *first = export_of(0);
    assert_ok(export_to(first, "model"));
    float value = 0;
    for (int after = 0, hit = 1; hit; after++) {
        assert_true(after < 1000);
        Export *x = export_of(value + 1);
        failpoint_arm(FAIL_ERROR, after);
        bool ok = export_to(x, "model");
        hit = fail_calls > after;
        failpoint_arm(FAIL_NOT, 0);
        float now = value_of("model");
        assert_true(now == value + 1 || (now == value && !ok));
        value = now;
        free(x);
    }
    free(first);
}

// ---- which model it is

enum { LARGE = 4 * 4096 }; // elements, several pages

static bool give_large(void *values, int64_t tensor, int64_t first, int64_t count, float *out)
{
    memcpy(out, (float *)values + first, (size_t)count * sizeof *out);
    return true;
}

static uint64_t hash_of_large(const ModelConfig *config, float *values)
{
    static const WeightPlan large[] = {{"model.embed_tokens.weight", 2, {4, LARGE / 4}}};
    uint64_t hash;
    assert_ok(weights_write(folder, large, 1, WEIGHT_F32, UINT64_MAX, give_large, values) &&
              model_folder_hash(&hash, folder, config));
    return hash;
}

static void one_value_anywhere_makes_another_model(void **state)
{
    static float values[LARGE];
    ModelConfig config;
    start_afresh();
    assert_ok(config_read(&config, "test/fixtures/models/tied/config.json"));
    uint64_t before = hash_of_large(&config, values);
    for (int place = 0; place < LARGE; place += LARGE / 4 - 1) {
        values[place] = 1;
        assert_true(hash_of_large(&config, values) != before);
        values[place] = 0;
    }
    assert_true(hash_of_large(&config, values) == before);
    config.rope_theta += 1;
    assert_true(hash_of_large(&config, values) != before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_folder_is_itself),
        cmocka_unit_test(the_output_of_a_training_means_its_model),
        cmocka_unit_test(a_checkpoint_is_refused_with_the_program_that_exports_it),
        cmocka_unit_test(what_is_no_model_is_refused_with_what_it_lacks),
        cmocka_unit_test(an_exported_folder_is_a_model_folder),
        cmocka_unit_test(the_tokenizer_and_the_sampling_settings_are_taken_over),
        cmocka_unit_test(the_trained_template_and_end_replace_the_old_ones),
        cmocka_unit_test(what_is_not_changed_keeps_its_spelling),
        cmocka_unit_test(a_tokenizer_of_transformers_5_is_spelled_as_4_reads_it),
        cmocka_unit_test(a_model_is_replaced_whole),
        cmocka_unit_test(a_model_can_be_exported_over_its_own_origin),
        cmocka_unit_test(a_link_to_a_model_stays_a_link),
        cmocka_unit_test(a_folder_of_other_things_is_not_replaced),
        cmocka_unit_test(a_model_of_somebody_else_is_not_replaced),
        cmocka_unit_test(what_somebody_has_put_beside_a_model_is_not_lost),
        cmocka_unit_test(a_failure_leaves_the_old_model_and_nothing_else),
        cmocka_unit_test(a_kill_at_any_instant_leaves_the_old_model_or_the_new),
        cmocka_unit_test(an_error_at_any_instant_leaves_the_old_model_or_the_new),
        cmocka_unit_test(one_value_anywhere_makes_another_model),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
