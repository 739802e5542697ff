// Parity with transformers' generate: greedy answers, token for token, of the tiny models of lab/reference.
#include "test/support/fixture.h"
#include "engine/engine.h"
#include "pretrained/config_json.h"
#include "pretrained/weights.h"

static const char *const NAMES[] = {"tied", "untied", "group4", "qwen2_tied", "qwen2_untied"};
enum { MODELS = sizeof NAMES / sizeof NAMES[0], MOST = 1200 };

typedef struct Greedy {
    json_t *root, *answers;
    int32_t stop[8];
    int64_t stop_count;
    Model model;
    Engine *engine;
} Greedy;

static int64_t read_ids(int32_t *ids, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return (int64_t)json_array_size(list);
}

static void greedy_open(Greedy *g, const char *name)
{
    char folder[128], path[160];
    ModelConfig config;
    snprintf(folder, sizeof folder, "test/fixtures/models/%s", name);
    snprintf(path, sizeof path, "%s/greedy.json", folder);
    *g = (Greedy){.root = json_read(path, 1 << 22)};
    assert_non_null(g->root);
    g->answers = json_object_get(g->root, "answers");
    g->stop_count = read_ids(g->stop, json_object_get(g->root, "stop"));
    snprintf(path, sizeof path, "%s/config.json", folder);
    assert_ok(config_read(&config, path));
    ModelLimits limits = {.cache = {.tokens = 100, .rows = 8, .sequences = 4, .positions = MOST, .pages = 30}};
    assert_ok(model_open(&g->model, &config, &limits, kernels_open("cpu", 0), false));
    assert_ok(model_load(&g->model, folder));
    g->engine = engine_open(&g->model, config.vocabulary);
    assert_non_null(g->engine);
}

static void greedy_close(Greedy *g)
{
    engine_close(g->engine);
    model_close(&g->model);
    json_decref(g->root);
}

static void ask(Greedy *g, size_t number)
{
    int32_t prompt[MOST];
    GenerationRequest r = {.tag = number, .samples = 1, .top_p = 1, .max_new_tokens = 24};
    r.prompt_count = read_ids(prompt, json_object_get(json_array_get(g->answers, number), "prompt"));
    r.prompt = prompt;
    r.stop = g->stop;
    r.stop_count = g->stop_count;
    assert_ok(engine_add(g->engine, &r));
}

static void greedy_answers_are_transformers_token_for_token(void **state)
{
    for (int n = 0; n < MODELS; n++) {
        Greedy g;
        GenerationResult result;
        int64_t tokens = 0, stopped = 0;
        greedy_open(&g, NAMES[n]);
        for (size_t i = 0; i < json_array_size(g.answers); i++)
            ask(&g, i);
        while (!engine_empty(g.engine)) {
            assert_ok(engine_step(g.engine));
            while (engine_next(g.engine, &result)) {
                int32_t expected[64];
                int64_t count = read_ids(expected, json_object_get(json_array_get(g.answers, result.tag), "ids"));
                assert_int_equal(result.count, count);
                assert_memory_equal(result.ids, expected, (size_t)count * sizeof *expected);
                tokens += count;
                stopped += result.reason == FINISH_STOP;
            }
        }
        print_message("%s: %d answers, %d tokens, %d ended by themselves\n", NAMES[n], (int)json_array_size(g.answers),
                      (int)tokens, (int)stopped);
        greedy_close(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(greedy_answers_are_transformers_token_for_token)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
