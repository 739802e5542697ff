// The chat templates by name and by the facts in which they differ, and recognition of a folder's own.
// template_render.c renders messages by these facts; template_text.c has the texts for export.
#include "json/json.h"
#include "system/files.h"
#include "tokenizer/jinja.h"
#include "tokenizer/template_internal.h"
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_LIMIT = 1 << 20, CONFIG_LIMIT = 64 << 20 };

static const TemplateFacts FACTS[TEMPLATES] = {
    [TEMPLATE_CHATML] = {"chatml", NULL, THOUGHTS_AS_GIVEN, ""},
    [TEMPLATE_QWEN3] = {"qwen3", NULL, THOUGHTS_RECENT, ""},
    [TEMPLATE_QWEN3_NOTHINK] = {"qwen3-nothink", NULL, THOUGHTS_RECENT, EMPTY_THOUGHT},
    [TEMPLATE_QWEN25] = {"qwen2.5", QWEN25_SYSTEM, THOUGHTS_AS_GIVEN, ""},
    [TEMPLATE_UNKNOWN] = {"unknown", NULL, THOUGHTS_AS_GIVEN, ""},
    [TEMPLATE_QWEN2] = {"qwen2", QWEN2_SYSTEM, THOUGHTS_AS_GIVEN, ""},
    [TEMPLATE_QWEN25_MATH] = {"qwen2.5-math", QWEN25_MATH_SYSTEM, THOUGHTS_AS_GIVEN, ""},
    [TEMPLATE_QWQ] = {"qwq", NULL, THOUGHTS_FORGOTTEN, "<think>\n"},
    [TEMPLATE_QWEN3_THINKING] = {"qwen3-thinking", NULL, THOUGHTS_RECENT, "<think>\n"},
    [TEMPLATE_QWEN3_TRAINING] = {"qwen3-training", NULL, THOUGHTS_ALL, ""},
    [TEMPLATE_QWEN3_TRAINING_STRICT] = {"qwen3-training-strict", NULL, THOUGHTS_ALL_STRICT, ""},
};

const TemplateFacts *template_facts(TemplateKind kind) { return &FACTS[kind]; }

const char *template_name(TemplateKind kind) { return FACTS[kind].name; }

TemplateKind template_without_thoughts(TemplateKind kind)
{
    return FACTS[kind].thoughts == THOUGHTS_AS_GIVEN ? kind : TEMPLATE_QWEN3_NOTHINK;
}

static TemplateKind kind_of_name(const char *name)
{
    for (int kind = 0; kind < TEMPLATES; kind++)
        if (strcmp(FACTS[kind].name, name) == 0)
            return (TemplateKind)kind;
    return TEMPLATE_UNKNOWN;
}

// ---- recognition

// XXH3 of the canonical form (tokenizer/jinja.h) of each known text, and its size. lab/reference/templates.py computes
// them from the texts, and checks with transformers that each renders as its kind does.
static const struct {
    uint64_t hash;
    size_t size;
    TemplateKind kind;
} KNOWN[] = {
    {0x65e0766ed5072b62, 1871, TEMPLATE_CHATML},                // qwen3_instruct_2507
    {0x434b0c24b9b91842, 1903, TEMPLATE_CHATML},                // trl_qwen3_instruct_2507_training
    {0x51e1d4fbf25ad26e, 189, TEMPLATE_CHATML},                 // chatml
    {0x770e5f95224bc195, 278, TEMPLATE_CHATML},                 // axolotl_chatml
    {0xb647ad4b2a3b6be1, 384, TEMPLATE_CHATML},                 // unsloth_chatml
    {0x54055dd27e234e88, 3057, TEMPLATE_QWEN3},                 // qwen3
    {0x5bbc05a647536cb1, 3041, TEMPLATE_QWEN3},                 // qwen3_first
    {0xc698cdc10e73f938, 3041, TEMPLATE_QWEN3},                 // axolotl_qwen3
    {0x7f65bc44a0c61887, 2980, TEMPLATE_QWEN3_NOTHINK},         // qwen3_nonthinking
    {0x9b61a16794a9269f, 2964, TEMPLATE_QWEN3_NOTHINK},         // qwen3_nonthinking_first
    {0x0d9b7d7ff890200a, 1931, TEMPLATE_QWEN25},                // qwen2_5
    {0xe5a9e625cd7ea14d, 1985, TEMPLATE_QWEN25},                // trl_qwen2_5_training
    {0xe7e1e17b7fe5b586, 1851, TEMPLATE_QWEN2},                 // qwen2_5_base
    {0x8282738bf297e387, 317, TEMPLATE_QWEN2},                  // qwen2
    {0xbf5dd1cfb880426e, 1937, TEMPLATE_QWEN25_MATH},           // qwen2_5_math
    {0xc9cedebb0e4b718b, 2085, TEMPLATE_QWQ},                   // qwq
    {0x666c2c6d0dd81f11, 2966, TEMPLATE_QWEN3_THINKING},        // qwen3_thinking_2507
    {0xd899d38d9c8cf6fd, 2863, TEMPLATE_QWEN3_TRAINING},        // trl_qwen3_training
    {0xfd41d7ec02b9df50, 2851, TEMPLATE_QWEN3_TRAINING_STRICT}, // trl_qwen3_training_1
    {0x60896f56e9a75679, 2882, TEMPLATE_QWEN3_TRAINING_STRICT}, // trl_qwen3_training_2
    {0xcaf87cd3bf3d02ae, 2888, TEMPLATE_QWEN3_TRAINING_STRICT}, // trl_qwen3_training_3
};

static bool is_export(bool *same, TemplateKind kind, const Bytes *form)
{
    const char *text = template_jinja(kind);
    Bytes own = {0};
    bool ok = text == NULL || jinja_canonical(&own, text, strlen(text));
    *same = text != NULL && own.size == form->size && memcmp(own.data, form->data, own.size) == 0;
    bytes_free(&own);
    return ok;
}

bool template_recognise(TemplateKind *kind, const char *jinja, size_t size)
{
    Bytes form = {0};
    *kind = TEMPLATE_UNKNOWN;
    bool ok = bytes_text(&form, "") && jinja_canonical(&form, jinja, size);
    uint64_t hash = hash_bytes(form.data, form.size);
    for (size_t i = 0; ok && i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (KNOWN[i].hash == hash && KNOWN[i].size == form.size)
            *kind = KNOWN[i].kind;
    for (int own = 0; ok && *kind == TEMPLATE_UNKNOWN && own < TEMPLATES; own++) {
        bool same;
        ok = is_export(&same, (TemplateKind)own, &form);
        *kind = ok && same ? (TemplateKind)own : *kind;
    }
    bytes_free(&form);
    return ok;
}

static bool take_own(ChatTemplate *chat, const char *jinja, size_t size, const char *path)
{
    chat->from_file = true;
    snprintf(chat->origin, sizeof chat->origin, "%s", path);
    return template_recognise(&chat->kind, jinja, size);
}

// chat_template is a string, or a list of {name, template} in which the one named "default" counts. *jinja stays NULL
// if there is none.
static bool config_template(const char **jinja, const json_t *config, const char *path)
{
    const json_t *value = json_object_get(config, "chat_template"), *entry;
    if (!json_is_array(value))
        return json_may_text(jinja, config, "chat_template", path);
    size_t i;
    json_array_foreach (value, i, entry) {
        const char *name = NULL;
        TRY(json_need_text(&name, entry, "name", path));
        if (strcmp(name, "default") == 0)
            return json_need_text(jinja, entry, "template", path);
    }
    return fail("%s: chat_template is a list without one named \"default\"; name one with --template", path);
}

static bool recognise_config(ChatTemplate *chat, const char *path)
{
    const char *jinja = NULL;
    json_t *config = json_read(path, CONFIG_LIMIT);
    TRY(config != NULL);
    bool ok = json_is_object(config) ? config_template(&jinja, config, path) : fail("%s: not a JSON object", path);
    if (ok && jinja != NULL)
        ok = take_own(chat, jinja, strlen(jinja), path);
    json_decref(config);
    return ok;
}

static bool recognise_folder(ChatTemplate *chat, const char *folder)
{
    snprintf(chat->origin, sizeof chat->origin, "%s has no chat template", folder);
    char *path = path_join(folder, "chat_template.jinja"), *config = path_join(folder, "tokenizer_config.json");
    PathKind own = PATH_NONE, configured = PATH_NONE;
    bool ok = path != NULL && config != NULL && path_kind(&own, path) && path_kind(&configured, config);
    if (ok && own == PATH_FILE) {
        Bytes jinja = {0};
        ok = file_read(&jinja, path, TEMPLATE_LIMIT) && take_own(chat, jinja.data, jinja.size, path);
        bytes_free(&jinja);
    } else if (ok && configured == PATH_FILE) {
        ok = recognise_config(chat, config);
    }
    free(path);
    free(config);
    return ok;
}

bool template_open(ChatTemplate *chat, const char *folder, const char *name)
{
    *chat = (ChatTemplate){.kind = TEMPLATE_CHATML};
    if (name == NULL || name[0] == 0 || strcmp(name, "auto") == 0)
        return recognise_folder(chat, folder);
    chat->kind = kind_of_name(name);
    snprintf(chat->origin, sizeof chat->origin, "--template");
    return chat->kind != TEMPLATE_UNKNOWN || fail("--template %s: no such template; there are " TEMPLATE_CHOICES, name);
}

void template_set_tokenizer(ChatTemplate *chat, const Tokenizer *tokenizer, const char *folder)
{
    static const char *const marks[] = {"<|im_end|>", "<|im_start|>"};
    snprintf(chat->tokenizer, sizeof chat->tokenizer, "%s", folder);
    chat->missing = NULL;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (!tokenizer_adds(tokenizer, marks[i]))
            chat->missing = marks[i];
}
