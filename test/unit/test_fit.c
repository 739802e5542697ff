// Does it fit? The total of a plan is what is allocated, following the advice makes it fit, and the advice that costs
// least speed comes first; the defaults fit the cards that they are meant for.
#include "fit/fit.h"
#include "pretrained/config_json.h"
#include "test/support/check.h"
#include "test/support/tiny.h"
#include <stdlib.h>
#include <string.h>

// ---- a program's needs

static Needs training_needs(void)
{
    Needs n = {.recompute_auto = true, .micro_batch_tokens = 4096, .longest = 600};
    n.own.config = TINY_CONFIG;
    n.own.limits = (ModelLimits){.tokens = 4096, .rows = 4095, .sequences = 100, .positions = 600, .training = true};
    return n;
}

static void add_cache(Needs *n)
{
    n->own.limits.cache = (CacheLimits){.tokens = 2048, .rows = 64, .sequences = 64, .positions = 600};
}

static void add_reference(Needs *n)
{
    ModelNeeds *r = &n->others[n->other_count++];
    *r = (ModelNeeds){.name = "the reference model", .config = TINY_CONFIG, .limits = n->own.limits};
    r->limits.training = false;
    r->limits.cache = (CacheLimits){0};
}

static Needs generating_needs(void)
{
    Needs n = {.has_context = true};
    n.own.config = TINY_CONFIG;
    n.own.limits.cache = (CacheLimits){.tokens = 4096, .rows = 256 + 5 * 128, .sequences = 256, .positions = 4096};
    return n;
}

static Needs reinforcing_needs(void)
{
    Needs n = training_needs();
    add_cache(&n);
    add_reference(&n);
    return n;
}

static Fit fit_in(double bytes, const Kernels *kernels)
{
    return (Fit){.kernels = kernels, .memory = {.bytes = bytes}};
}

static double bytes_of(Needs needs, bool recompute, bool bf16)
{
    Fit fit = fit_in(1e15, kernels_open("cpu", 1));
    needs.recompute_auto = false;
    needs.own.limits.recompute = recompute;
    needs.own.bf16_moments = bf16;
    assert_ok(fit_choose(&fit, &needs));
    double bytes = fit.bytes;
    fit_close(&fit);
    return bytes;
}

// ---- the plan is what is taken

static size_t allocated;

static void *counting_allocate(size_t bytes)
{
    allocated += bytes;
    return kernels_open("cpu", 1)->allocate(bytes);
}

static void assert_total_is_allocated(const Needs *needs, double memory)
{
    Kernels counting = *kernels_open("cpu", 1);
    Fit fit = fit_in(memory, &counting);
    counting.allocate = counting_allocate;
    allocated = 0;
    assert_ok(fit_choose(&fit, needs));
    assert_true(fit.fits);
    assert_int_equal(allocated, 0); // a plan takes nothing
    const ModelNeeds *own = &fit.needs.own;
    Model model, others[NEEDS_OTHERS];
    Optimizer optimizer = {.bf16_moments = own->bf16_moments};
    for (int i = 0; i < fit.needs.other_count; i++)
        assert_ok(model_open(&others[i], &fit.needs.others[i].config, &fit.needs.others[i].limits, &counting, false));
    assert_ok(model_open(&model, &own->config, &own->limits, &counting, false));
    if (own->limits.training)
        assert_ok(optimizer_open(&optimizer, &model, false));
    assert_int_equal((int64_t)fit.bytes, (int64_t)allocated);
    if (own->limits.training)
        optimizer_close(&optimizer);
    model_close(&model);
    for (int i = 0; i < fit.needs.other_count; i++)
        model_close(&others[i]);
    fit_close(&fit);
}

static void the_total_is_what_is_allocated(void **state)
{
    Needs n = training_needs();
    assert_total_is_allocated(&n, 1e12);
    n.own.bf16_moments = true;
    n.own.limits.recompute = true;
    assert_total_is_allocated(&n, 1e12);
    add_cache(&n);
    assert_total_is_allocated(&n, 1e12);
    add_reference(&n);
    assert_total_is_allocated(&n, 1e12);
    n.own.config.tied = false;
    assert_total_is_allocated(&n, 1e12);
    n = generating_needs();
    assert_total_is_allocated(&n, 3e7); // fewer pages than could be used
    n.own.cache_bytes = 1 << 22;
    assert_total_is_allocated(&n, 1e12);
}

// ---- what is chosen

static void says_at_its_start(const Fit *fit, const char *expected)
{
    Bytes said = {0};
    assert_ok(fit_describe(fit, &said));
    if (strncmp(said.size > 0 ? said.data : "", expected, expected[0] != 0 ? strlen(expected) : 1) != 0)
        fail_msg("'%s' instead of '%s'", said.data, expected);
    bytes_free(&said);
}

static void layers_are_recomputed_only_where_all_does_not_fit(void **state)
{
    double whole = bytes_of(training_needs(), false, false), less = bytes_of(training_needs(), true, false);
    Needs n = training_needs();
    Fit fit = fit_in(whole, kernels_open("cpu", 1));
    assert_true(less < whole);
    assert_ok(fit_choose(&fit, &n));
    assert_true(fit.fits && !fit.needs.own.limits.recompute);
    says_at_its_start(&fit, "memory: layers are not recomputed in the backward pass, as all of it fits: ");
    fit.memory.bytes = whole - 1;
    assert_ok(fit_choose(&fit, &n));
    assert_true(fit.fits && fit.needs.own.limits.recompute && fit.bytes == less);
    says_at_its_start(&fit, "memory: layers are recomputed in the backward pass, as it would not fit otherwise (");
    n.recompute_auto = false; // as with --recompute none
    assert_ok(fit_choose(&fit, &n));
    assert_true(!fit.fits && !fit.needs.own.limits.recompute && fit.bytes == whole);
    assert_non_null(strstr(fit.advice.data, "it fits with --recompute layer ("));
    fit.memory.bytes = whole;
    assert_ok(fit_choose(&fit, &n));
    says_at_its_start(&fit, ""); // nothing was chosen
    fit.memory.bytes = whole - 1;
    n.own.bf16_moments = true; // moments are never chosen for anybody: they change bits
    n.recompute_auto = true;
    assert_ok(fit_choose(&fit, &n));
    assert_true(fit.needs.own.bf16_moments);
    n.own.bf16_moments = false;
    fit.memory.bytes = less - 1;
    assert_ok(fit_choose(&fit, &n));
    assert_true(!fit.fits && !fit.needs.own.bf16_moments);
    fit_close(&fit);
}

static void what_costs_least_speed_is_advised_first(void **state)
{
    Needs n = training_needs();
    Fit fit = fit_in(bytes_of(n, true, false) - 1, kernels_open("cpu", 1));
    assert_ok(fit_choose(&fit, &n));
    assert_non_null(strstr(fit.advice.data, "it fits with --moments bf16 ("));
    fit.memory.bytes = bytes_of(n, true, true) - 1;
    assert_ok(fit_choose(&fit, &n));
    assert_non_null(
        strstr(fit.advice.data, "it fits with --micro-batch-tokens 2048 (")); // the moments are not needed then
    Needs halves = n;
    halves.own.limits.tokens = 2048;
    halves.own.limits.rows = 2048;
    fit.memory.bytes = bytes_of(halves, true, false) - 1;
    assert_ok(fit_choose(&fit, &n));
    assert_non_null(strstr(fit.advice.data, "it fits with --moments bf16 --micro-batch-tokens 2048 ("));
    n.own.limits.recompute = n.own.bf16_moments = true;
    n.micro_batch_tokens = 0; // a program without the option
    assert_ok(fit_choose(&fit, &n));
    assert_non_null(strstr(fit.advice.data, "no option makes it fit ("));
    assert_null(strstr(fit.advice.data, "--"));
    fit_close(&fit);
}

// Takes the options of an advice as a user would.
static void follow(Needs *n, const char *advice)
{
    CacheLimits *c = &n->own.limits.cache;
    char *text = copy_text(advice), *end = strrchr(text, '(');
    *end = 0;
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        if (strncmp(word, "--", 2) != 0)
            continue;
        const char *value = strtok(NULL, " ");
        int64_t number = strtoll(value, NULL, 10);
        if (strcmp(word, "--recompute") == 0)
            n->own.limits.recompute = true;
        else if (strcmp(word, "--moments") == 0)
            n->own.bf16_moments = true;
        else if (strcmp(word, "--cache") == 0)
            n->own.cache_bytes = number;
        else if (strcmp(word, "--pass-tokens") == 0)
            c->tokens = number;
        else if (strcmp(word, "--context") == 0)
            c->positions = number;
        else if (strcmp(word, "--sequences") == 0) {
            c->rows = c->rows > c->sequences ? number + 5 * (number < 128 ? number : 128) : number;
            c->sequences = number;
        } else if (strcmp(word, "--micro-batch-tokens") == 0) {
            n->micro_batch_tokens = number;
            int64_t tokens = number > n->longest ? number : n->longest;
            n->own.limits.tokens = tokens;
            n->own.limits.rows = tokens - 1;
            if (n->other_count > 0)
                n->others[0].limits.tokens = n->others[0].limits.rows = tokens;
        } else
            fail_msg("an advice with %s", word);
    }
    free(text);
}

// From nothing to more than enough: yes, or an advice that is true when it is followed, or no.
static void assert_advice_helps(Needs needs, const Kernels *kernels)
{
    int yes = 0, helped = 0, no = 0;
    for (double memory = 1e5; memory < 4e9; memory *= 1.07) {
        Fit fit = fit_in(memory, kernels), then = fit_in(memory, kernels);
        assert_ok(fit_choose(&fit, &needs));
        bool can = fit.advice.data != NULL && strncmp(fit.advice.data, "it fits with ", 13) == 0;
        assert_true(fit.fits == (fit.bytes <= memory));
        assert_true(fit.fits || can || strncmp(fit.advice.data, "no option makes it fit", 22) == 0);
        if (can) {
            Needs changed = needs;
            follow(&changed, fit.advice.data);
            assert_ok(fit_choose(&then, &changed));
            assert_true(then.fits);
            assert_true(then.bytes <= memory);
        }
        assert_true(!fit.fits || !can);
        yes += fit.fits;
        helped += can;
        no += !fit.fits && !can;
        assert_true(yes == 0 || fit.fits); // more memory never fits less
        fit_close(&fit);
        fit_close(&then);
    }
    assert_true(yes > 0 && helped > 0 && no > 0);
}

static void advice_that_is_followed_helps(void **state)
{
    const Kernels *cpu = kernels_open("cpu", 1);
    Needs n = training_needs();
    n.recompute_auto = false;
    assert_advice_helps(n, cpu);
    assert_advice_helps(training_needs(), cpu);
    assert_advice_helps(reinforcing_needs(), cpu);
    assert_advice_helps(generating_needs(), cpu);
    n = generating_needs();
    n.own.cache_bytes = 1 << 26;
    n.has_context = false;
    assert_advice_helps(n, cpu);
}

// ---- pages

static void pages_take_what_is_free_and_what_training_works_in(void **state)
{
    Kernels k = *kernels_open("cpu", 1);
    Needs n = training_needs();
    int64_t pages, more;
    add_cache(&n);
    n.own.limits.cache = (CacheLimits){.tokens = 2048, .rows = 2048, .sequences = 2048, .positions = 4096};
    n.own.limits.positions = 4096;
    assert_ok(cache_pages(&pages, &n.own, &k, 0)); // nothing is free; but what training works in is there
    Model m;
    ModelLimits both = n.own.limits;
    both.cache.pages = pages;
    assert_ok(model_open(&m, &n.own.config, &both, &k, true));
    double with = (double)m.activations.bytes;
    model_close(&m);
    both.cache = (CacheLimits){0};
    assert_ok(model_open(&m, &n.own.config, &both, &k, true));
    assert_true((double)m.activations.bytes == with && pages > 2);
    double all = (double)m.state.bytes + with + 8.0 * (double)m.parameters.elements;
    model_close(&m);
    double page = cache_page_bytes(&n.own.config, &k);
    assert_ok(cache_pages(&more, &n.own, &k, all + 100.5 * page)); // a machine's memory is also others'
    assert_in_range(more - pages, 49, 51);
    k.on_gpu = true;
    assert_ok(cache_pages(&more, &n.own, &k, all + 100.5 * page));
    assert_in_range(more - pages, 99, 101);
    n.own.cache_most = (int64_t)(30.5 * page); // beside what training works in
    assert_ok(cache_pages(&more, &n.own, &k, all + 100.5 * page));
    assert_in_range(more - pages, 29, 31);
    assert_ok(cache_pages(&more, &n.own, &k, all + 20.5 * page));
    assert_in_range(more - pages, 19, 21);
    n.own.cache_most = 1; // a whole sequence in any case
    n.own.limits.cache.positions = 100000;
    assert_ok(cache_pages(&more, &n.own, &k, 1e15));
    assert_int_equal(more, cache_whole(&n.own.limits.cache));
    n.own.limits.cache.positions = 4096;
    n.own.limits.cache.sequences = 3;
    n.own.cache_most = 0;
    assert_ok(cache_pages(&more, &n.own, &k, 1e15)); // no more than can be used
    assert_int_equal(more, 3 * 32 + 1);
    n.own.cache_bytes = (int64_t)(7.5 * page);
    assert_ok(cache_pages(&more, &n.own, &k, 1e15));
    assert_int_equal(more, 7);
}

// ---- cards

static double of_card(const char *gpu)
{
    DeviceMemory m;
    assert_ok(card_memory(&m, gpu));
    assert_non_null(strstr(m.name, gpu));
    return m.bytes / 0x1p30;
}

static void cards_are_known_by_name_and_by_size(void **state)
{
    DeviceMemory m;
    assert_true(of_card("h100") > 77 && of_card("h100") < 79);
    assert_true(of_card("80G") > 76 && of_card("80G") <= of_card("h100"));
    assert_true(of_card("80gb") == of_card("80G"));
    assert_true(of_card("141G") > 136 && of_card("141G") <= of_card("h200"));
    assert_true(of_card("24GiB") == 24 - 0.5 - 1);
    assert_true(of_card("1024MiB") > 0.4 && of_card("1024MiB") < 0.5);
    assert_true(of_card("0.1GiB") == 0);
    static const char *const WRONG[] = {"h99", "80",   "-80G",   "0G",          "80T", "G",
                                        "nan", "infG", "1e300G", "80 GB of it", ""};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        assert_refused(card_memory(&m, WRONG[i]), "give a card's memory, as 80G or 79.1GiB, or one of a30,");
        error_clear();
    }
}

static void a_card_is_for_plans(void **state)
{
    Fit fit;
    MachineOptions run = {{"auto", 0}, 0, false, "80G"}, cpu = {{"cpu", 0}, 0, true, "80G"},
                   wrong = {{"cuda", 0}, 0, true, "h99"}, plan = {{"auto", 0}, 0, true, "80G"};
    assert_refused(fit_open(&fit, &run), "--gpu 80G: names a card to plan for, with --plan");
    assert_refused(fit_open(&fit, &cpu), "not with --device cpu");
    assert_refused(fit_open(&fit, &wrong), "--gpu h99");
    assert_ok(fit_open(&fit, &plan));
    assert_string_equal(fit.kernels->name, "cuda-bf16");
    assert_true(fit.memory.bytes > 0);
    fit_close(&fit);
    error_clear();
}

// ---- the defaults

// Qwen3 with a micro-batch of 16,384 tokens; the program samples up to 9,216 tokens, or trains only.
static bool defaults_fit(const char *config, const char *gpu, bool samples)
{
    MachineOptions where = {{"cuda", 0}, 0, true, gpu};
    Fit fit;
    Needs n = {.recompute_auto = true, .micro_batch_tokens = 16384, .longest = 9216};
    assert_ok(config_read(&n.own.config, config));
    n.own.limits =
        (ModelLimits){.tokens = 16384, .rows = 16384, .sequences = 16384, .positions = 9216, .training = true};
    if (samples)
        n.own.limits.cache = (CacheLimits){.tokens = 8192, .rows = 256, .sequences = 256, .positions = 9216};
    assert_ok(fit_open(&fit, &where) && fit_choose(&fit, &n));
    bool fits = fit.fits;
    fit_close(&fit);
    return fits;
}

static void the_defaults_fit_the_cards_that_they_are_for(void **state)
{
    for (int samples = 0; samples < 2; samples++) {
        assert_true(defaults_fit("lab/bench/qwen3-4b.json", "80G", samples));
        assert_true(defaults_fit("lab/bench/qwen3-4b.json", "a100-80g", samples));
        assert_true(defaults_fit("lab/bench/qwen3-0.6b.json", "24G", samples));
        assert_false(defaults_fit("lab/bench/qwen3-4b.json", "40G", samples));
        assert_false(defaults_fit("lab/bench/qwen3-8b.json", "141G", samples));
    }
}

// ---- what is said

static void a_plan_without_a_gpu_says_which_cards_it_fits(void **state)
{
    Fit fit = {.kernels = kernels_for_plan("cuda"), .memory = {.bytes = -1}};
    Needs n = {.recompute_auto = true};
    char text[8192] = "";
    assert_ok(config_read(&n.own.config, "lab/bench/qwen3-4b.json"));
    n.own.limits =
        (ModelLimits){.tokens = 16384, .rows = 16384, .sequences = 16384, .positions = 9216, .training = true};
    assert_ok(fit_choose(&fit, &n));
    assert_true(fit.fits && !fit.needs.own.limits.recompute);
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_ok(fit_print(&fit, out));
    fclose(out);
    assert_non_null(strstr(text, "--gpu names none"));
    assert_non_null(strstr(text, "   24GB  no, "));
    assert_non_null(strstr(text, "   48GB  no, "));
    assert_non_null(strstr(text, "   80GB  yes, 76.36 of 77.30 GiB; layers are recomputed in the backward pass"));
    assert_non_null(strstr(text, "  141GB  yes, 132.3"));
    fit_close(&fit);
}

// --gpu all, whatever GPU is here; and how many sequences each card has room for.
static void a_plan_for_all_cards_says_what_each_card_alone_would(void **state)
{
    static const char *const cards[] = {"24G", "48G", "80G", "141G"};
    MachineOptions all = {{"auto", 0}, 0, true, "all"};
    Needs n = {.recompute_auto = true, .micro_batch_tokens = 16384, .longest = 9216};
    Fit fit;
    char text[8192] = "";
    assert_ok(config_read(&n.own.config, "lab/bench/qwen3-1.7b.json"));
    n.own.limits =
        (ModelLimits){.tokens = 16384, .rows = 16384, .sequences = 16384, .positions = 9216, .training = true};
    n.own.limits.cache = (CacheLimits){.tokens = 8192, .rows = 256, .sequences = 256, .positions = 9216};
    assert_ok(fit_open(&fit, &all) && fit_choose(&fit, &n));
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_ok(fit_print(&fit, out));
    fclose(out);
    fit_close(&fit);
    assert_non_null(strstr(text, "fits: a card of\n"));
    for (size_t i = 0; i < sizeof cards / sizeof *cards; i++) {
        MachineOptions one = {{"auto", 0}, 0, true, cards[i]};
        char line[160];
        assert_ok(fit_open(&fit, &one) && fit_choose(&fit, &n));
        snprintf(line, sizeof line, "  %4sB  %s, %.2f of %.2f GiB", cards[i], fit.fits ? "yes" : "no",
                 fit.bytes / 0x1p30, fit.memory.bytes / 0x1p30);
        const char *said = strstr(text, line);
        if (said == NULL)
            fail_msg("'%s' is not in '%s'", line, text);
        assert_int_equal(fit.fits, memmem(said, strcspn(said, "\n"), " of 9216 tokens each at once", 28) != NULL);
        fit_close(&fit);
    }
}

// What a save copies to is the host's memory, a rank's own part of masters and moments.
static void a_plan_says_what_a_save_takes_of_the_host(void **state)
{
    for (int ranks = 1; ranks <= 3; ranks++) {
        Fit fit = {.kernels = kernels_for_plan("cuda"), .memory = {.bytes = -1}};
        Needs n = {.recompute_auto = true};
        Model model;
        char text[8192] = "";
        assert_ok(config_read(&n.own.config, "lab/bench/qwen3-4b.json"));
        n.own.limits = (ModelLimits){.tokens = 64, .rows = 64, .sequences = 64, .positions = 64, .training = true};
        n.own.limits.division = (Division){.rank = ranks - 1, .ranks = ranks};
        assert_ok(model_open(&model, &n.own.config, &n.own.limits, fit.kernels, true));
        double all = 12 * (double)model.parameters.elements / 0x1p30, said = 0;
        model_close(&model);
        assert_ok(fit_choose(&fit, &n));
        FILE *out = fmemopen(text, sizeof text, "w");
        assert_ok(fit_print(&fit, out));
        fclose(out);
        const char *line = strstr(text, "while a checkpoint is written: ");
        assert_non_null(line);
        assert_int_equal(sscanf(line, "while a checkpoint is written: %lf GiB of host memory", &said), 1);
        assert_true(said > 0.98 * all / ranks && said < 1.02 * all / ranks);
        fit_close(&fit);
    }
}

static void an_error_of_memory_gets_the_advice(void **state)
{
    Needs n = training_needs();
    n.recompute_auto = false;
    Fit fit = fit_in(bytes_of(n, true, false), kernels_open("cpu", 1));
    assert_ok(fit_choose(&fit, &n));
    fail("the memory for weights can't be had");
    assert_false(fit_fail(&fit));
    assert_ptr_equal(strstr(error_text(), "the memory for weights can't be had; it fits with --recompute layer ("),
                     error_text());
    fit.memory.bytes = 1e12; // it fits, they thought
    assert_ok(fit_choose(&fit, &n));
    fail("the memory for weights can't be had");
    assert_false(fit_fail(&fit));
    assert_non_null(strstr(error_text(), "; it takes less with --recompute layer ("));
    error_clear();
    fit_close(&fit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_total_is_what_is_allocated),
        cmocka_unit_test(layers_are_recomputed_only_where_all_does_not_fit),
        cmocka_unit_test(what_costs_least_speed_is_advised_first),
        cmocka_unit_test(advice_that_is_followed_helps),
        cmocka_unit_test(pages_take_what_is_free_and_what_training_works_in),
        cmocka_unit_test(cards_are_known_by_name_and_by_size),
        cmocka_unit_test(a_card_is_for_plans),
        cmocka_unit_test(the_defaults_fit_the_cards_that_they_are_for),
        cmocka_unit_test(a_plan_without_a_gpu_says_which_cards_it_fits),
        cmocka_unit_test(a_plan_for_all_cards_says_what_each_card_alone_would),
        cmocka_unit_test(a_plan_says_what_a_save_takes_of_the_host),
        cmocka_unit_test(an_error_of_memory_gets_the_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
