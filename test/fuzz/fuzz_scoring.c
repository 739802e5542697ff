// Fuzzing the scoring of benchmarks: a response against one of the program's tasks, which its bytes choose, so that
// many responses come to all of them, with one of two sets of options. What must hold: an end within the patterns'
// steps, marks that do not contradict each other, and the same ones again.
#include "base/text.h"
#include "tasks/scoring.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TASKS_MOST = 64 };

typedef struct Opened {
    Task task;
    Scorer *scorer;
} Opened;

static void must(bool promise, const char *what, const char *task)
{
    if (promise)
        return;
    fprintf(stderr, "fuzz_scoring: %s: broken promise: %s: %s\n", task, what, error_text());
    abort();
}

static Opened *opened(void)
{
    static Opened tasks[TASKS_MOST];
    for (size_t i = 0; tasks[i].scorer == NULL && TASK_NAMES[i] != NULL; i++)
        must(task_open(&tasks[i].task, TASK_NAMES[i]) && (tasks[i].scorer = scorer_open(&tasks[i].task)) != NULL,
             "it opens", TASK_NAMES[i]);
    return tasks;
}

static bool same(const Marks *a, const Marks *b)
{
    return a->right == b->right && a->drawn == b->drawn && a->by_chance == b->by_chance && a->found == b->found &&
           a->readable == b->readable && a->strict == b->strict && a->letter == b->letter &&
           strcmp(a->extracted, b->extracted) == 0 && strcmp(a->rule, b->rule) == 0;
}

static void check(const Opened *o, const AskedQuestion *q, Text response)
{
    Marks m, again;
    const char *name = o->task.name;
    bool letters = o->task.o.score.place == SCORE_LETTER;
    must(scorer_mark(o->scorer, q, 3, response, &m), "a response is marked", name);
    if (response.size % 4 == 0) // half of the time would go here
        must(scorer_mark(o->scorer, q, 3, response, &again) && same(&m, &again), "and once more alike", name);
    must(m.found || !m.readable, "what is not found cannot be read", name);
    must(m.found == (m.extracted[0] != 0), "what is found is shown", name);
    must(!letters || !m.right || (q->reference.size == 1 && m.letter == *q->reference.data), "right: its letter", name);
    must(!m.drawn || (!m.readable && m.letter >= 'A' && m.letter <= 'J'), "drawn: where none could be read", name);
    must(m.rule[0] != 0, "there is a reason", name);
    must(utf8_valid_prefix(m.extracted, strlen(m.extracted)) == strlen(m.extracted), "UTF-8 is shown", name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const Text options[2][4] = {{{"Argon", 5}, {" Neon", 5}, {"{50 %}", 6}, {"\xC3\xA9 (A)", 6}},
                                       {{"", 0}, {"((((((((", 8}, {"B", 1}, {"the answer is A", 15}}};
    char *copy = malloc(size > 0 ? size : 1); // so that a look past its end is seen
    must(copy != NULL, "there is memory", "all");
    memcpy(copy, data, size);
    const Opened *tasks = opened();
    size_t count = 0;
    while (tasks[count].scorer != NULL)
        count++;
    const Opened *o = &tasks[hash_bytes(copy, size) % count];
    bool choice = o->task.o.options.count > 0;
    AskedQuestion q = {{"7", 1}, choice ? (Text){"B", 1} : (Text){"[3, 4]", 6}, options[size % 2], choice ? 4 : 0};
    check(o, &q, (Text){copy, size});
    free(copy);
    return 0;
}
