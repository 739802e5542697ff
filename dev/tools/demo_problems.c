// Writes generated worked problems as JSONL, for the demonstration and for tests: a two-digit start and five
// operations, left to right, modulo 100. An operation is hard when it carries, borrows or multiplies; a problem's
// difficulty is how many are. A problem is a function of (seed, level, number). Training and held-out problems never
// meet: a problem's hash decides.
//
// A teacher may err, always in one way, in ERRORS of a hundred solutions: at the last hard operation it forgets the
// carry or borrow, and goes on from there. The answer of the row is the right one all the same.
#include "base/base.h"
#include "system/start.h"
#include <stdlib.h>
#include <string.h>

enum { OPERATIONS = 5, MOST = 20, HELDOUT_IN = 8 };

typedef struct Operation {
    char sign;
    int number, result;
    bool hard;
} Operation;

// Lists every operation that is hard (or easy) on `value`; returns how many.
static int choices(Operation *out, int value, bool hard)
{
    int count = 0, units = value % 10;
    for (int k = 1; k <= 9; k++) {
        if ((units + k > 9) == hard)
            out[count++] = (Operation){'+', k, (value + k) % 100, hard};
        if ((units < k) == hard)
            out[count++] = (Operation){'-', k, (value + 100 - k) % 100, hard};
    }
    for (int k = 2; hard && k <= 3; k++)
        out[count++] = (Operation){'*', k, value * k % 100, true};
    return count;
}

// The tens without the units' carry or borrow.
static int forgetful(int value, const Operation *o)
{
    int tens = value / 10, units = value % 10;
    if (o->sign == '*')
        return tens * o->number % 10 * 10 + units * o->number % 10;
    return tens * 10 + (o->sign == '+' ? units + o->number : units + 10 - o->number) % 10;
}

// Marks `level` of the five places as hard, each choice equally likely.
static void hard_places(bool *hard, int level, uint64_t seed, uint32_t a, uint32_t b)
{
    int left = level;
    for (int i = 0; i < OPERATIONS; i++) {
        uint32_t draw = random_bits(seed, RANDOM_DEMO, a, b, (uint32_t)(100 + i)).v[0] % (uint32_t)(OPERATIONS - i);
        hard[i] = draw < (uint32_t)left;
        left -= hard[i];
    }
}

static int last_of(const bool *hard)
{
    int last = OPERATIONS - 1;
    while (last > 0 && !hard[last])
        last--;
    return last;
}

static int result_of(int said, const Operation *o)
{
    return (o->sign == '*' ? said * o->number : o->sign == '+' ? said + o->number : said + 100 - o->number) % 100;
}

static bool problem(Bytes *question, Bytes *solution, int *answer, int level, uint64_t seed, uint32_t number,
                    int errors)
{
    bool hard[OPERATIONS],
        errs = random_bits(seed, RANDOM_DEMO, (uint32_t)level, number, 200).v[0] % 100 < (uint32_t)errors;
    Operation list[MOST];
    hard_places(hard, level, seed, (uint32_t)level, number);
    int value = (int)(random_bits(seed, RANDOM_DEMO, (uint32_t)level, number, 0).v[0] % 100), said = value;
    bytes_clear(question);
    bytes_clear(solution);
    TRY(bytes_printf(question, "%02d", value));
    for (int i = 0; i < OPERATIONS; i++) {
        int count = choices(list, value, hard[i]);
        Operation o =
            list[random_bits(seed, RANDOM_DEMO, (uint32_t)level, number, (uint32_t)(1 + i)).v[0] % (uint32_t)count];
        TRY(bytes_printf(question, "%c%d", o.sign, o.number));
        int next = errs && i == last_of(hard) ? forgetful(said, &o) : result_of(said, &o);
        TRY(bytes_printf(solution, "%02d%c%d=%02d;", said, o.sign, o.number, next));
        value = o.result;
        said = next;
    }
    *answer = value;
    return bytes_text(question, "?") && bytes_printf(solution, "####%02d", said);
}

static bool write_level(int level, int count, uint64_t seed, bool heldout, int errors)
{
    Bytes question = {0}, solution = {0};
    uint32_t number = 0;
    bool ok = true;
    for (int written = 0; ok && written < count; number++) {
        int answer;
        ok = problem(&question, &solution, &answer, level, seed, number, errors);
        if (!ok || (hash_bytes(question.data, question.size) % HELDOUT_IN == 0) != heldout)
            continue;
        printf("{\"id\": \"%d-%u\", \"difficulty\": %d, \"problem\": \"%s\", \"solution\": \"%s\", \"answer\": "
               "\"%02d\"}\n",
               level, number, level, question.data, solution.data, answer);
        written++;
    }
    bytes_free(&question);
    bytes_free(&solution);
    return ok;
}

int main(int count, char **arguments)
{
    program_start();
    const char *usage =
        "usage: demo_problems train|heldout FIRST_LEVEL LAST_LEVEL COUNT_PER_LEVEL [SEED [ERRORS]]   (levels 1 to 5)\n";
    int first = count > 4 ? atoi(arguments[2]) : 0, last = count > 4 ? atoi(arguments[3]) : 0;
    bool heldout = count > 1 && strcmp(arguments[1], "heldout") == 0;
    if (count < 5 || (!heldout && strcmp(arguments[1], "train") != 0) || first < 1 || last > 5 || first > last) {
        fputs(usage, stderr);
        return 2;
    }
    uint64_t seed = count > 5 ? strtoull(arguments[5], NULL, 10) : 0;
    int errors = count > 6 ? atoi(arguments[6]) : 0;
    for (int level = first; level <= last; level++)
        if (!write_level(level, atoi(arguments[4]), seed, heldout, errors)) {
            fprintf(stderr, "demo_problems: %s\n", error_text());
            return 1;
        }
    return fflush(stdout) == 0 ? 0 : 1;
}
