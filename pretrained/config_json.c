// Every number is range-checked, and everything that would make the model something other than the dense Qwen3 or Qwen2
// computed here is refused by name. What the numbers mean for memory is in model/parameters.c.
#include "pretrained/config_json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LAYERS_MAX = 4096,
    HEADS_MAX = 1 << 16,
    GROUP_MAX = 256,
    HEAD_WIDTH_MAX = 1 << 13,
    WIDTH_MAX = 1 << 20,
    FEED_FORWARD_MAX = 1 << 22,
    VOCABULARY_MAX = 1 << 24,
    POSITIONS_MAX = 1 << 30,
    CONFIG_BYTES_MAX = 1 << 22
};

static bool is_null(const json_t *value) { return value == NULL || json_is_null(value); }

static bool must_be_text(const json_t *object, const char *key, const char *wanted, const char *where)
{
    const char *text = wanted;
    TRY(json_may_text(&text, object, key, where));
    if (strcmp(text, wanted) != 0)
        return fail("%s: %s is \"%s\"; this program computes \"%s\" only", where, key, text, wanted);
    return true;
}

static bool must_be_false(const ModelConfig *c, const json_t *object, const char *key, const char *where)
{
    bool value = false;
    TRY(json_may_bool(&value, object, key, where));
    if (value)
        return fail("%s: %s is true; %s as this program computes it has none", where, key, family_of(c)->name);
    return true;
}

static bool read_family(ModelConfig *c, const json_t *root, const char *where)
{
    const char *type;
    TRY(json_need_text(&type, root, "model_type", where));
    c->family = QWEN3;
    while (c->family < FAMILIES && strcmp(type, family_of(c)->model_type) != 0)
        c->family++;
    if (c->family == FAMILIES)
        return fail("%s: model_type is \"%s\"; this program trains dense models of Qwen3 (\"qwen3\"), Qwen2 and "
                    "Qwen2.5 (\"qwen2\")",
                    where, type);
    const json_t *architectures = json_object_get(root, "architectures");
    if (is_null(architectures))
        return true;
    const char *name = json_string_value(json_array_get(architectures, 0)), *wanted = family_of(c)->architecture;
    if (json_array_size(architectures) != 1 || name == NULL || strcmp(name, wanted) != 0)
        return fail("%s: architectures must be [\"%s\"]", where, wanted);
    return true;
}

static bool read_layer_types(const ModelConfig *c, const json_t *root, const char *where)
{
    const json_t *types = json_object_get(root, "layer_types");
    if (is_null(types))
        return true;
    if (!json_is_array(types) || json_array_size(types) != (size_t)c->layers)
        return fail("%s: layer_types must list %" PRId64 " layers, as num_hidden_layers says", where, c->layers);
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *type = json_string_value(json_array_get(types, i));
        if (type == NULL || strcmp(type, "full_attention") != 0)
            return fail("%s: layer_types[%zu] is not \"full_attention\"; other kinds of layers are not supported",
                        where, i);
    }
    return true;
}

// rope_scaling or rope_parameters: absent, null, or plain RoPE under its own name. May hold rope_theta.
static bool read_rope_object(ModelConfig *c, const char **found, const json_t *root, const char *key, const char *where)
{
    const json_t *rope = json_object_get(root, key);
    if (is_null(rope))
        return true;
    if (!json_is_object(rope))
        return fail("%s: %s must be null or an object", where, key);
    const char *type = "default", *older = NULL;
    TRY(json_may_text(&older, rope, "type", where));
    type = older != NULL ? older : type;
    TRY(json_may_text(&type, rope, "rope_type", where));
    if (older != NULL && strcmp(older, type) != 0)
        return fail("%s: %s has \"type\": \"%s\" and \"rope_type\": \"%s\"; remove the wrong one", where, key, older,
                    type);
    if (strcmp(type, "default") != 0)
        return fail(
            "%s: %s asks for RoPE scaling \"%s\"; only plain RoPE is supported. If the contexts are no longer than the "
            "model was trained for, write \"%s\": \"default\" there%s",
            where, key, type, older == NULL ? "rope_type" : "type",
            older != NULL && !is_null(json_object_get(rope, "rope_type")) ? ", and for rope_type too" : "");
    double share = 1;
    TRY(json_may_number(&share, rope, "partial_rotary_factor", 0, 1, where));
    if (share != 1)
        return fail("%s: %s has a partial_rotary_factor of %g; %s rotates whole heads", where, key, share,
                    family_of(c)->name);
    double given = c->rope_theta;
    TRY(json_may_number(&given, rope, "rope_theta", 1, 1e15, where));
    if (*found != NULL && given != c->rope_theta)
        return fail("%s: rope_theta is %g %s and %g in %s; remove the wrong one", where, c->rope_theta, *found, given,
                    key);
    if (!is_null(json_object_get(rope, "rope_theta")))
        *found = strcmp(key, "rope_scaling") == 0 ? "in rope_scaling" : "in rope_parameters";
    c->rope_theta = given;
    return true;
}

static bool read_rope(ModelConfig *c, const json_t *root, const char *where)
{
    const char *found = is_null(json_object_get(root, "rope_theta")) ? NULL : "at the top"; // where it was found
    TRY(json_may_number(&c->rope_theta, root, "rope_theta", 1, 1e15, where));
    TRY(read_rope_object(c, &found, root, "rope_scaling", where));
    TRY(read_rope_object(c, &found, root, "rope_parameters", where));
    if (found == NULL)
        return fail("%s: key \"rope_theta\" is missing, at the top or in rope_parameters", where);
    return true;
}

// head_dim; where it is missing, transformers' default.
static bool read_head_width(ModelConfig *c, const json_t *root, const char *where)
{
    c->head_width = family_of(c)->head_width;
    TRY(json_may_int(&c->head_width, root, "head_dim", 2, HEAD_WIDTH_MAX, where));
    if (c->head_width == 0) {
        c->head_width = c->width / c->heads;
        if (c->width % c->heads != 0 || c->head_width % 2 != 0 || c->head_width > HEAD_WIDTH_MAX)
            return fail("%s: without head_dim, hidden_size / num_attention_heads (%" PRId64 " / %" PRId64
                        ") must be an even "
                        "number up to %d",
                        where, c->width, c->heads, HEAD_WIDTH_MAX);
    }
    if (c->head_width % 2 != 0)
        return fail("%s: head_dim is %" PRId64 "; RoPE rotates pairs, so it must be even", where, c->head_width);
    return true;
}

static bool read_sizes(ModelConfig *c, const json_t *root, const char *where)
{
    c->max_positions = 32768; // transformers' defaults, where it has one for both families
    c->norm_epsilon = 1e-6;
    c->initializer_range = 0.02;
    TRY(json_need_int(&c->layers, root, "num_hidden_layers", 1, LAYERS_MAX, where));
    TRY(json_need_int(&c->width, root, "hidden_size", 1, WIDTH_MAX, where));
    TRY(json_need_int(&c->heads, root, "num_attention_heads", 1, HEADS_MAX, where));
    TRY(json_need_int(&c->kv_heads, root, "num_key_value_heads", 1, HEADS_MAX, where));
    TRY(read_head_width(c, root, where));
    TRY(json_need_int(&c->feed_forward, root, "intermediate_size", 1, FEED_FORWARD_MAX, where));
    TRY(json_need_int(&c->vocabulary, root, "vocab_size", 1, VOCABULARY_MAX, where));
    TRY(json_may_int(&c->max_positions, root, "max_position_embeddings", 1, POSITIONS_MAX, where));
    TRY(json_may_number(&c->norm_epsilon, root, "rms_norm_eps", 1e-30, 1, where));
    TRY(json_may_number(&c->initializer_range, root, "initializer_range", 0, 100, where));
    TRY(json_may_bool(&c->tied, root, "tie_word_embeddings", where));
    if (c->heads % c->kv_heads != 0)
        return fail("%s: num_attention_heads (%" PRId64 ") must be a multiple of num_key_value_heads (%" PRId64 ")",
                    where, c->heads, c->kv_heads);
    if (c->heads / c->kv_heads > GROUP_MAX)
        return fail("%s: %" PRId64 " query heads share a key/value head, more than the %d that this program takes",
                    where, c->heads / c->kv_heads, GROUP_MAX);
    return true;
}

static bool add_end_token(ModelConfig *c, const json_t *value, const char *where)
{
    int64_t token = (int64_t)json_integer_value(value);
    if (!json_is_integer(value) || token < 0 || token >= c->vocabulary)
        return fail("%s: eos_token_id must hold integers from 0 to %" PRId64, where, c->vocabulary - 1);
    for (int64_t i = 0; i < c->end_count; i++)
        if (c->end_tokens[i] == token)
            return true;
    if (c->end_count == END_TOKENS)
        return fail("%s: eos_token_id has more than %d entries", where, END_TOKENS);
    c->end_tokens[c->end_count++] = token;
    return true;
}

static bool read_special_tokens(ModelConfig *c, const json_t *root, const char *where)
{
    c->begin_token = -1;
    TRY(json_may_int(&c->begin_token, root, "bos_token_id", 0, c->vocabulary - 1, where));
    const json_t *end = json_object_get(root, "eos_token_id");
    if (is_null(end))
        return true;
    if (!json_is_array(end))
        return add_end_token(c, end, where);
    for (size_t i = 0; i < json_array_size(end); i++)
        TRY(add_end_token(c, json_array_get(end, i), where));
    return true;
}

bool config_from_json(ModelConfig *c, const json_t *root, const char *where)
{
    *c = (ModelConfig){0};
    if (!json_is_object(root))
        return fail("%s: not a JSON object", where);
    TRY(read_family(c, root, where));
    if (!is_null(json_object_get(root, "quantization_config")))
        return fail("%s: quantization_config: the weights are quantized; use the folder of the unquantized model",
                    where);
    TRY(must_be_text(root, "hidden_act", "silu", where));
    if (!family_of(c)->qkv_bias) // a family that always has it: transformers ignores the key
        TRY(must_be_false(c, root, "attention_bias", where));
    TRY(must_be_false(c, root, "use_sliding_window", where));
    TRY(read_sizes(c, root, where));
    TRY(read_layer_types(c, root, where));
    TRY(read_rope(c, root, where));
    return read_special_tokens(c, root, where);
}

bool config_read(ModelConfig *config, const char *path)
{
    json_t *root = json_read(path, CONFIG_BYTES_MAX);
    bool ok = root != NULL && config_from_json(config, root, path);
    json_decref(root);
    return ok;
}

static json_t *end_tokens_to_json(const ModelConfig *c)
{
    if (c->end_count == 0)
        return json_null();
    if (c->end_count == 1)
        return json_integer(c->end_tokens[0]);
    json_t *list = json_array();
    for (int64_t i = 0; i < c->end_count; i++)
        if (json_array_append_new(list, json_integer(c->end_tokens[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *number_to_json(double x) // 1000000, not 1000000.0, as in the published files
{
    return x == floor(x) && fabs(x) < 0x1p53 ? json_integer((json_int_t)x) : json_real(x);
}

json_t *config_to_json(const ModelConfig *c, const char *dtype)
{
    const Family *family = family_of(c);
    json_t *begin = c->begin_token < 0 ? json_null() : json_integer(c->begin_token);
    json_t *root = json_pack(
        "{s:[s], s:b, s:f, s:o, s:o, s:I, s:s, s:I, s:f, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:f, s:n, s:o, s:n, s:b, "
        "s:s, "
        "s:s, s:b, s:b, s:I}",
        "architectures", family->architecture, "attention_bias", false, "attention_dropout", 0.0, "bos_token_id", begin,
        "eos_token_id", end_tokens_to_json(c), "head_dim", (json_int_t)c->head_width, "hidden_act", "silu",
        "hidden_size", (json_int_t)c->width, "initializer_range", c->initializer_range, "intermediate_size",
        (json_int_t)c->feed_forward, "max_position_embeddings", (json_int_t)c->max_positions, "max_window_layers",
        (json_int_t)c->layers, "model_type", family->model_type, "num_attention_heads", (json_int_t)c->heads,
        "num_hidden_layers", (json_int_t)c->layers, "num_key_value_heads", (json_int_t)c->kv_heads, "rms_norm_eps",
        c->norm_epsilon, "rope_scaling", "rope_theta", number_to_json(c->rope_theta), "sliding_window",
        "tie_word_embeddings", c->tied, "torch_dtype", dtype, "transformers_version", "4.51.0", "use_cache", true,
        "use_sliding_window", false, "vocab_size", (json_int_t)c->vocabulary);
    if (root == NULL)
        fail("no memory for a config.json");
    if (family->qkv_bias) // the published files of such a family have neither key
        json_object_del(root, "attention_bias");
    if (family->head_width == 0 && c->head_width * c->heads == c->width)
        json_object_del(root, "head_dim");
    return root;
}
