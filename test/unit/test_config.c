// config.json: both spellings and both families are read, what is written reads back the same, and everything that is
// not a dense Qwen3 or Qwen2 is refused by the name of its key.
#include "model/config.h"
#include "pretrained/config_json.h"
#include "system/files.h"
#include "test/support/check.h"
#include <unistd.h>

static const char published[] =
    "{\"architectures\": [\"Qwen3ForCausalLM\"], \"attention_bias\": false, \"attention_dropout\": 0.0, "
    "\"bos_token_id\": 151643,"
    " \"eos_token_id\": 151645, \"head_dim\": 128, \"hidden_act\": \"silu\", \"hidden_size\": 2560, "
    "\"initializer_range\": 0.02,"
    " \"intermediate_size\": 9728, \"max_position_embeddings\": 40960, \"max_window_layers\": 36, \"model_type\": "
    "\"qwen3\","
    " \"num_attention_heads\": 32, \"num_hidden_layers\": 36, \"num_key_value_heads\": 8, \"rms_norm_eps\": 1e-06,"
    " \"rope_scaling\": null, \"rope_theta\": 1000000, \"sliding_window\": null, \"tie_word_embeddings\": true,"
    " \"torch_dtype\": \"bfloat16\", \"transformers_version\": \"4.51.0\", \"use_cache\": true, "
    "\"use_sliding_window\": false,"
    " \"vocab_size\": 151936}";

static const char published_qwen2[] = // Qwen2.5-Math-1.5B's
    "{\"architectures\": [\"Qwen2ForCausalLM\"], \"attention_dropout\": 0.0, \"bos_token_id\": 151643, "
    "\"eos_token_id\": 151643,"
    " \"hidden_act\": \"silu\", \"hidden_size\": 1536, \"initializer_range\": 0.02, \"intermediate_size\": 8960,"
    " \"max_position_embeddings\": 4096, \"max_window_layers\": 21, \"model_type\": \"qwen2\", "
    "\"num_attention_heads\": 12,"
    " \"num_hidden_layers\": 28, \"num_key_value_heads\": 2, \"rms_norm_eps\": 1e-06, \"rope_theta\": 10000,"
    " \"sliding_window\": 4096, \"tie_word_embeddings\": true, \"torch_dtype\": \"bfloat16\","
    " \"transformers_version\": \"4.44.0\", \"use_cache\": true, \"use_mrope\": false, \"use_sliding_window\": false,"
    " \"vocab_size\": 151936}";

static char path[64];

static bool read_text(ModelConfig *config, const char *text)
{
    assert_ok(file_write_atomic(path, text, strlen(text)));
    return config_read(config, path);
}

// A published configuration with one key set (JSON text), or removed (NULL).
static bool read_changed(ModelConfig *config, const char *from, const char *key, const char *value)
{
    json_t *root = json_loads(from, 0, NULL);
    if (value == NULL)
        json_object_del(root, key);
    else
        json_object_set_new(root, key, json_loads(value, JSON_DECODE_ANY, NULL));
    char *text = json_dumps(root, 0);
    bool ok = read_text(config, text);
    free(text);
    json_decref(root);
    return ok;
}

static bool read_with(ModelConfig *config, const char *key, const char *value)
{
    return read_changed(config, published, key, value);
}

static bool read_qwen2_with(ModelConfig *config, const char *key, const char *value)
{
    return read_changed(config, published_qwen2, key, value);
}

static int set_up(void **state)
{
    strcpy(path, "/tmp/test_config-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state) { return unlink(path); }

static void a_published_configuration_is_read(void **state)
{
    ModelConfig c;
    assert_ok(read_text(&c, published));
    assert_int_equal(c.family, QWEN3);
    assert_int_equal(c.layers, 36);
    assert_int_equal(c.width, 2560);
    assert_int_equal(c.heads, 32);
    assert_int_equal(c.kv_heads, 8);
    assert_int_equal(c.head_width, 128); // not 2560 / 32
    assert_int_equal(c.feed_forward, 9728);
    assert_int_equal(c.vocabulary, 151936);
    assert_int_equal(c.max_positions, 40960);
    assert_true(c.rope_theta == 1e6 && c.norm_epsilon == 1e-6 && c.initializer_range == 0.02);
    assert_true(c.tied);
    assert_int_equal(c.begin_token, 151643);
    assert_int_equal(c.end_count, 1);
    assert_int_equal(c.end_tokens[0], 151645);
}

static void a_published_qwen2_is_read(void **state)
{
    ModelConfig c;
    assert_ok(read_text(&c, published_qwen2));
    assert_int_equal(c.family, QWEN2);
    assert_int_equal(c.heads, 12);
    assert_int_equal(c.kv_heads, 2);
    assert_int_equal(c.head_width, 128); // 1536 / 12: there is no head_dim
    assert_int_equal(c.max_positions, 4096);
    assert_true(c.rope_theta == 1e4 && c.tied);
    assert_ok(read_qwen2_with(&c, "tie_word_embeddings", "false"));
    assert_false(c.tied);
    assert_ok(read_qwen2_with(&c, "head_dim", "64"));
    assert_int_equal(c.head_width, 64);
    assert_ok(read_qwen2_with(&c, "head_dim", "null"));
    assert_int_equal(c.head_width, 128);
    assert_ok(read_qwen2_with(&c, "attention_bias", "false")); // transformers does not ask: a Qwen2 has its biases
}

static void the_families_differ_in_biases_and_norms(void **state)
{
    ModelConfig qwen3, qwen2;
    assert_ok(read_text(&qwen3, published) && read_text(&qwen2, published_qwen2));
    assert_true(!family_of(&qwen3)->qkv_bias && family_of(&qwen3)->qk_norm);
    assert_true(family_of(&qwen2)->qkv_bias && !family_of(&qwen2)->qk_norm);
}

static void the_spelling_of_transformers_5_is_read_alike(void **state)
{
    ModelConfig old, new;
    assert_ok(read_text(&old, published));
    Bytes text = {0};
    const char *from = strstr(published, "\"rope_scaling\": null, \"rope_theta\": 1000000");
    assert_ok(bytes_append(&text, published, (size_t)(from - published)));
    assert_ok(bytes_text(&text, "\"dtype\": \"bfloat16\", "
                                "\"rope_parameters\": {\"rope_theta\": 1000000.0, \"rope_type\": \"default\"}"));
    assert_ok(bytes_text(&text, strchr(from, ':') + strlen(": null, \"rope_theta\": 1000000")));
    assert_ok(read_text(&new, text.data));
    assert_memory_equal(&old, &new, sizeof old);
    bytes_free(&text);
}

static void the_fixtures_of_both_versions_are_read(void **state)
{
    ModelConfig tied, untied, qwen2;
    assert_ok(config_read(&tied, "test/fixtures/models/tied/config.json"));
    assert_true(tied.rope_theta == 1e6 && tied.tied && tied.head_width == 16 && tied.begin_token == 0);
    assert_ok(config_read(&untied, "test/fixtures/models/untied/config.json"));
    assert_true(untied.rope_theta == 5e6 && !untied.tied && untied.head_width == 12 && untied.begin_token == -1);
    assert_ok(config_read(&qwen2, "test/fixtures/models/qwen2_tied/config.json"));
    assert_true(qwen2.family == QWEN2 && qwen2.rope_theta == 1e4 && qwen2.tied && qwen2.head_width == 8);
    assert_ok(config_read(&qwen2, "test/fixtures/models/qwen2_untied/config.json"));
    assert_true(qwen2.family == QWEN2 && qwen2.rope_theta == 1e6 && !qwen2.tied && qwen2.head_width == 6);
}

static void what_is_written_reads_back_the_same(void **state)
{
    static const char *const ends[] = {"null", "3", "[151645, 151643]"};
    for (int i = 0; i < 3; i++) {
        ModelConfig before, after;
        assert_ok(read_with(&before, "eos_token_id", ends[i]));
        json_t *root = config_to_json(&before, "float32");
        assert_non_null(root);
        assert_string_equal(json_string_value(json_object_get(root, "torch_dtype")), "float32");
        assert_true(json_is_integer(json_object_get(root, "rope_theta")));
        assert_ok(json_write_atomic(path, root));
        assert_ok(config_read(&after, path));
        assert_memory_equal(&before, &after, sizeof before);
        json_decref(root);
    }
}

static void a_qwen2_is_written_as_one(void **state)
{
    static const char *const head_widths[] = {"128", "64"}; // the first is what follows from the other sizes
    for (int i = 0; i < 2; i++) {
        ModelConfig before, after;
        assert_ok(read_qwen2_with(&before, "head_dim", head_widths[i]));
        json_t *root = config_to_json(&before, "bfloat16");
        assert_non_null(root);
        assert_string_equal(json_string_value(json_object_get(root, "model_type")), "qwen2");
        const json_t *architectures = json_object_get(root, "architectures");
        assert_string_equal(json_string_value(json_array_get(architectures, 0)), "Qwen2ForCausalLM");
        assert_null(json_object_get(root, "attention_bias"));
        assert_int_equal(json_integer_value(json_object_get(root, "head_dim")), i == 0 ? 0 : 64);
        assert_ok(json_write_atomic(path, root));
        assert_ok(config_read(&after, path));
        assert_memory_equal(&before, &after, sizeof before);
        json_decref(root);
    }
}

static void absent_keys_have_the_defaults_of_transformers(void **state)
{
    ModelConfig c;
    assert_ok(read_with(&c, "head_dim", NULL));
    assert_int_equal(c.head_width, 128);
    assert_ok(read_with(&c, "rms_norm_eps", NULL));
    assert_true(c.norm_epsilon == 1e-6);
    assert_ok(read_with(&c, "tie_word_embeddings", NULL));
    assert_false(c.tied);
    assert_ok(read_with(&c, "eos_token_id", NULL));
    assert_int_equal(c.end_count, 0);
    assert_ok(read_with(&c, "architectures", NULL));
    assert_ok(read_with(&c, "bos_token_id", "null"));
    assert_int_equal(c.begin_token, -1);
}

static void harmless_variants_are_accepted(void **state)
{
    ModelConfig c;
    assert_ok(read_with(&c, "rope_scaling", "{\"rope_type\": \"default\"}"));
    assert_ok(read_with(&c, "sliding_window", "4096")); // without use_sliding_window it means nothing
    assert_ok(read_with(&c, "eos_token_id", "[7, 7, 9]"));
    assert_int_equal(c.end_count, 2);
    assert_ok(read_with(&c, "some_new_key", "{\"a\": [1]}"));
}

static void what_is_not_a_dense_qwen3_is_refused_by_name(void **state)
{
    static const char *const cases[][3] = {
        {"model_type", "\"qwen3_moe\"", "model_type is \"qwen3_moe\""},
        {"model_type", "\"llama\"", "model_type is \"llama\""},
        {"model_type", NULL, "\"model_type\" is missing"},
        {"architectures", "[\"Qwen3ForSequenceClassification\"]", "architectures must be"},
        {"architectures", "[]", "architectures must be"},
        {"architectures", "\"Qwen3ForCausalLM\"", "architectures must be"},
        {"quantization_config", "{\"quant_method\": \"fp8\"}", "quantization_config"},
        {"hidden_act", "\"gelu\"", "hidden_act is \"gelu\""},
        {"attention_bias", "true", "attention_bias is true"},
        {"use_sliding_window", "true", "use_sliding_window is true"},
        {"rope_scaling", "{\"rope_type\": \"yarn\", \"factor\": 4.0}", "RoPE scaling \"yarn\""},
        {"rope_scaling", "{\"type\": \"linear\", \"factor\": 4.0}", "RoPE scaling \"linear\""},
        {"rope_scaling", "7", "rope_scaling must be null or an object"},
        {"rope_parameters", "{\"rope_type\": \"yarn\"}", "RoPE scaling \"yarn\""},
        {"rope_parameters", "{\"rope_theta\": 5e6}", "1e+06 at the top and 5e+06 in rope_parameters"},
        {"rope_parameters", "{\"partial_rotary_factor\": 0.5}", "partial_rotary_factor"},
        {"rope_theta", NULL, "\"rope_theta\" is missing"},
        {"layer_types", "[\"full_attention\"]", "layer_types must list 36"},
        {"head_dim", "127", "head_dim is 127"},
        {"num_attention_heads", "30", "must be a multiple of num_key_value_heads"},
    };
    ModelConfig c;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(read_with(&c, cases[i][0], cases[i][1]), cases[i][2]);
    assert_refused(
        read_text(&c, "{\"model_type\": \"qwen3\", \"num_hidden_layers\": 1, \"hidden_size\": 8, \"vocab_size\": 8,"
                      "\"num_attention_heads\": 1, \"num_key_value_heads\": 1, \"intermediate_size\": 8,"
                      "\"rope_theta\": 1e4, \"layer_types\": [\"sliding_attention\"]}"),
        "layer_types[0] is not \"full_attention\"");
}

static void rope_that_is_said_twice_is_named_and_its_advice_works(void **state)
{
    ModelConfig c;
    assert_refused(read_with(&c, "rope_scaling", "{\"type\": \"yarn\", \"rope_type\": \"default\"}"),
                   "\"type\": \"yarn\" and \"rope_type\": \"default\"; remove the wrong one");
    assert_refused(read_with(&c, "rope_scaling", "{\"rope_theta\": 2e6, \"type\": \"default\"}"),
                   "1e+06 at the top and 2e+06 in rope_scaling");
    assert_refused(read_with(&c, "rope_scaling", "{\"type\": \"linear\", \"factor\": 2}"),
                   "write \"type\": \"default\" there");
    assert_ok(read_with(&c, "rope_scaling", "{\"type\": \"default\", \"factor\": 2}"));
    const char *once =
        "{\"model_type\": \"qwen3\", \"num_hidden_layers\": 1, \"hidden_size\": 8, \"vocab_size\": 8, "
        "\"num_attention_heads\": 1,"
        " \"num_key_value_heads\": 1, \"intermediate_size\": 8, \"rope_parameters\": {\"rope_theta\": 5e6, %s}}";
    char text[512];
    snprintf(text, sizeof text, once, "\"rope_type\": \"yarn\", \"factor\": 4.0");
    assert_refused(read_text(&c, text), "write \"rope_type\": \"default\" there");
    snprintf(text, sizeof text, once, "\"rope_type\": \"default\", \"factor\": 4.0"); // as advised: rope_theta stays
    assert_ok(read_text(&c, text));
    assert_true(c.rope_theta == 5e6);
    snprintf(text, sizeof text, once, "\"a\": 1}, \"rope_scaling\": {\"rope_theta\": 1e4");
    assert_refused(read_text(&c, text), "10000 in rope_scaling and 5e+06 in rope_parameters");
}

static void what_is_not_a_dense_qwen2_is_refused_by_name(void **state)
{
    static const char *const cases[][3] = {
        {"model_type", "\"qwen2_moe\"", "model_type is \"qwen2_moe\""},
        {"model_type", "\"qwen3\"", "architectures must be [\"Qwen3ForCausalLM\"]"},
        {"architectures", "[\"Qwen3ForCausalLM\"]", "architectures must be [\"Qwen2ForCausalLM\"]"},
        {"use_sliding_window", "true", "use_sliding_window is true; Qwen2"},
        {"rope_scaling", "{\"rope_type\": \"yarn\", \"factor\": 4.0}", "RoPE scaling \"yarn\""},
        {"rope_scaling", "{\"partial_rotary_factor\": 0.5}", "Qwen2 rotates whole heads"},
        {"rope_theta", NULL, "\"rope_theta\" is missing"},
        {"hidden_size", "1540", "without head_dim, hidden_size / num_attention_heads (1540 / 12)"},
        {"hidden_size", "1548", "without head_dim, hidden_size / num_attention_heads (1548 / 12)"}, // 129
        {"hidden_size", "196608", "an even number up to 8192"},
        {"hidden_size", "6", "hidden_size / num_attention_heads (6 / 12)"},
        {"head_dim", "127", "head_dim is 127"},
        {"head_dim", "0", "head_dim"},
    };
    ModelConfig c;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(read_qwen2_with(&c, cases[i][0], cases[i][1]), cases[i][2]);
}

static void every_integer_has_a_limit(void **state)
{
    static const char *const keys[] = {
        "num_hidden_layers", "hidden_size",       "num_attention_heads", "num_key_value_heads",
        "head_dim",          "intermediate_size", "vocab_size",          "max_position_embeddings",
    };
    static const char *const values[] = {"0", "-1", "9223372036854775807", "2147483648", "1.5", "\"8\"", "[8]", "true"};
    ModelConfig c;
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++)
            assert_refused(read_with(&c, keys[k], values[v]), keys[k]);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        if (strcmp(keys[k], "head_dim") != 0 && strcmp(keys[k], "max_position_embeddings") != 0)
            assert_refused(read_with(&c, keys[k], NULL), keys[k]);
}

static void numbers_out_of_range_are_refused(void **state)
{
    ModelConfig c;
    assert_refused(read_with(&c, "rms_norm_eps", "0"), "rms_norm_eps");
    assert_refused(read_with(&c, "rms_norm_eps", "-1e-6"), "rms_norm_eps");
    assert_refused(read_with(&c, "rope_theta", "0"), "rope_theta");
    assert_refused(read_with(&c, "rope_theta", "1e300"), "rope_theta");
    assert_refused(read_with(&c, "initializer_range", "-0.02"), "initializer_range");
    assert_refused(read_with(&c, "tie_word_embeddings", "1"), "tie_word_embeddings");
}

static void special_tokens_lie_in_the_vocabulary(void **state)
{
    ModelConfig c;
    assert_refused(read_with(&c, "eos_token_id", "151936"), "eos_token_id");
    assert_refused(read_with(&c, "eos_token_id", "[1, -1]"), "eos_token_id");
    assert_refused(read_with(&c, "eos_token_id", "\"2\""), "eos_token_id");
    assert_refused(read_with(&c, "eos_token_id", "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"), "more than 16");
    assert_refused(read_with(&c, "bos_token_id", "151936"), "bos_token_id");
}

static void what_is_not_json_is_refused_with_its_place(void **state)
{
    ModelConfig c;
    assert_refused(read_text(&c, ""), "not valid JSON");
    assert_refused(read_text(&c, "[1]"), "not a JSON object");
    assert_refused(read_text(&c, "{\"vocab_size\": 1,\n \"vocab_size\": 2}"), ":2:");
    assert_refused(config_read(&c, "/nowhere/config.json"), "/nowhere/config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_published_configuration_is_read),
        cmocka_unit_test(a_published_qwen2_is_read),
        cmocka_unit_test(the_families_differ_in_biases_and_norms),
        cmocka_unit_test(the_spelling_of_transformers_5_is_read_alike),
        cmocka_unit_test(the_fixtures_of_both_versions_are_read),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(a_qwen2_is_written_as_one),
        cmocka_unit_test(absent_keys_have_the_defaults_of_transformers),
        cmocka_unit_test(harmless_variants_are_accepted),
        cmocka_unit_test(what_is_not_a_dense_qwen3_is_refused_by_name),
        cmocka_unit_test(rope_that_is_said_twice_is_named_and_its_advice_works),
        cmocka_unit_test(what_is_not_a_dense_qwen2_is_refused_by_name),
        cmocka_unit_test(every_integer_has_a_limit),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(special_tokens_lie_in_the_vocabulary),
        cmocka_unit_test(what_is_not_json_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
