// See pass_rate.h.
#include "difficulty/pass_rate.h"
#include "answers/verify.h"
#include "asking/responses.h"
#include "base/text.h"
#include "rows/row_write.h"
#include <math.h>
#include <string.h>

enum { REFERENCE_SHOWN = 60 };

PassRate pass_rate_of(const int64_t verdicts[3], int64_t cut_off)
{
    PassRate p = {verdicts[VERDICT_EQUAL], verdicts[VERDICT_DIFFERENT], verdicts[VERDICT_UNKNOWN], cut_off, NAN,
                  DIFFICULTY_DEFAULT};
    int64_t decided = p.right + p.wrong;
    if (decided == 0 || decided < p.unknown)
        return p;
    int64_t bin = DIFFICULTIES * p.right / decided; // in integers: 0.6 is on its edge, not beside it
    p.rate = (double)p.right / (double)decided;
    p.level = DIFFICULTIES - (int)(bin < DIFFICULTIES ? bin : DIFFICULTIES - 1);
    return p;
}

static bool no_reference(const Record *record)
{
    const Unread *unread = &record->unread_answer;
    Bytes remedy = {0};
    bool named = unread->name != NULL && unread_remedy(&remedy, unread) && remedy.size > 0;
    fail("it has no reference answer, and --method pass-rate compares responses with one; give %s if another column "
         "has it; or leave such rows out with --skip-bad-rows N, or score by a rubric (--method logits)",
         named ? remedy.data : "--map answer=COLUMN");
    bytes_free(&remedy);
    return false;
}

// What responses are compared with.
static bool take_reference(Pending *row, const Record *record, Text problem)
{
    const char *answer = record->answer == NULL ? "" : record->answer;
    Text text = {answer, strlen(answer)};
    if (text_trimmed(text).size == 0)
        return no_reference(record);
    if (!answer_comparable(problem, text))
        return fail("no rule can tell right responses from wrong ones by its reference \"%.*s\"; leave such rows out "
                    "with --skip-bad-rows N, or score by a rubric (--method logits)",
                    (int)utf8_valid_prefix(text.data, text.size < REFERENCE_SHOWN ? text.size : REFERENCE_SHOWN),
                    text.data);
    return bytes_append(&row->reference, text.data, text.size);
}

bool pass_rate_problem(PassRateAsking *a, Text *problem, const Pending *row)
{
    bytes_clear(&a->problem);
    TRY(bytes_append(&a->problem, row->row.data, row->row.size) && bytes_text(&a->problem, "}"));
    *problem = (Text){a->problem.data, a->problem.size};
    return true;
}

static bool ask_folder(PassRateAsking *a, RowWork *w, Pending *row, const Record *record)
{
    GenerationRequest r = {.seed = (uint64_t)a->options->seed, .id = responses_name(record), .top_p = 1};
    r.samples = (int32_t)a->options->samples;
    r.temperature = (float)a->options->temperature;
    r.max_new_tokens = a->options->max_new_tokens;
    return row_work_encode(w, row, record) && row_work_ask_folder(w, row, &r);
}

bool pass_rate_ask(PassRateAsking *a, RowWork *w, Pending *row, const Record *record)
{
    Text problem;
    TRY(pass_rate_problem(a, &problem, row) && take_reference(row, record, problem));
    if (!w->remote)
        return ask_folder(a, w, row, record);
    if (record->format == ROW_IDS)
        return fail("a row of ids, but a server needs text");
    for (int64_t i = 0; i < a->options->samples; i++)
        TRY(row_work_ask_server(w, row, record->messages, record_prompt(record),
                                responses_seed(a->options->seed, record, i)));
    return true;
}

void pass_rate_asking_free(PassRateAsking *a) { bytes_free(&a->problem); }

bool pass_rate_row_end(Bytes *line, Text row, const PassRate *p, Text said, const Scorer *scorer)
{
    TRY(bytes_append(line, row.data, row.size) && row_integer(line, "difficulty", p->level));
    if (isnan(p->rate))
        TRY(score_row_default(line, said));
    else
        TRY(row_number(line, "pass_rate", p->rate));
    return row_integer(line, "pass_right", p->right) && row_integer(line, "pass_wrong", p->wrong) &&
           row_integer(line, "pass_unknown", p->unknown) && row_integer(line, "pass_cut_off", p->cut_off) &&
           score_row_scorer(line, scorer);
}
