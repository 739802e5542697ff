// Difficulty 1 to 5 of every problem, by a language model that reads it under a rubric. Either the model's
// probabilities of the digits 1 to 5 as the next token decide, which costs one pass over each problem (the rubric's
// beginning is computed once for all); or an answer that it writes; or, without a rubric, how many of its responses to
// the problem are right. The model is a folder here, or behind a server.
// This file is C, in spite of its ending: it compiles with or without nvcc.
#include "asking/row_work.h"
#include "difficulty/pass_rate.h"
#include "difficulty/rubric_answer.h"
#include "figures/figures.h"
#include "options/program.h"
#include "rl/reward.h"
#include "score_options.h"
#include <string.h>

typedef struct Score {
    ScoreOptions o;
    Options options;
    Rubric rubric;
    RowWork work; // the rows and the model
    ScoreMethod method;
    bool by_digits;
    Scorer scorer;
    ScoreTally tally;
    PassRateAsking responses; // of --method pass-rate
    Bytes line, question;
    LivePage *live; // of --watch
    // a folder's model
    ChatTemplate chat;   // the folder's, without thoughts where a digit must follow at once
    Sequence *beginning; // the common prefix of all prompts, up to the problem
    int32_t digits[DIFFICULTIES];
    // a server's
    Bytes answers; // the file of kept answers
} Score;

// ---- asking about a row

static bool ask_folder(Score *s, Pending *row, Text problem)
{
    GenerationRequest r = {
        .seed = (uint64_t)s->o.scoring.seed, .id = hash_bytes(problem.data, problem.size), .prefix = s->beginning};
    r.samples = s->by_digits ? 1 : (int32_t)s->o.scoring.samples;
    r.temperature = (float)s->o.scoring.temperature;
    r.top_p = 1;
    r.max_new_tokens = s->o.scoring.max_new_tokens;
    r.probe = s->by_digits ? s->digits : NULL;
    r.probe_count = s->by_digits ? DIFFICULTIES : 0;
    return rubric_prompt(&s->rubric, &s->chat, s->work.encoder, &row->ids, problem) &&
           row_work_ask_folder(&s->work, row, &r);
}

static bool ask_server(Score *s, Pending *row, Text problem)
{
    TRY(rubric_fill(&s->rubric, &s->question, problem));
    Message message = {ROLE_USER, {s->question.data, s->question.size}, {NULL, 0}};
    return row_work_ask_server(&s->work, row, &message, 1, s->o.scoring.seed);
}

static bool ask_row(void *state, Pending *row, const Record *record)
{
    Score *s = state;
    Text problem;
    if (s->method == BY_PASS_RATE)
        return score_row_begin(&row->row, record) && pass_rate_ask(&s->responses, &s->work, row, record);
    return rubric_question(&problem, record) && score_row_begin(&row->row, record) &&
           (s->work.remote ? ask_server(s, row, problem) : ask_folder(s, row, problem));
}

// ---- writing it

// A row by its pass rate, or else by a difficulty.
static bool write_score(Score *s, const Pending *row, const Difficulty *d, const PassRate *p)
{
    bytes_clear(&s->line);
    Text before = {row->row.data, row->row.size}, said = {row->useless.data, row->useless.size};
    return (p != NULL ? pass_rate_row_end(&s->line, before, p, said, &s->scorer)
                      : score_row_end(&s->line, before, d, said, &s->scorer)) &&
           journal_add(&s->work.journal, row_work_number(&s->work, row->number, 0), s->line.data, s->line.size) &&
           score_tally_add(&s->tally, (Text){s->line.data, s->line.size});
}

// By rule, as a reward is: a response that was cut off is wrong.
static bool judge(Score *s, Pending *row, const RowAnswer *answer)
{
    Finding finding;
    RewardFacts facts = {.text = answer->text, .ended = strcmp(answer->finish_reason, "stop") == 0};
    TRY(pass_rate_problem(&s->responses, &facts.row, row));
    facts.reference = (Text){row->reference.data, row->reference.size};
    reward_finding(&finding, &facts);
    if (++row->verdicts[finding.verdict] == 1 && finding.verdict == VERDICT_UNKNOWN)
        TRY(rubric_answer_keep(row, answer->text, false));
    row->cut_off += figures_cut_off(answer->finish_reason);
    PassRate rate = pass_rate_of(row->verdicts, row->cut_off);
    return row->left > 0 || write_score(s, row, NULL, &rate);
}

static bool take_answer(void *state, Pending *row, const RowAnswer *answer)
{
    Score *s = state;
    Difficulty d;
    if (s->method == BY_PASS_RATE)
        return judge(s, row, answer);
    if (s->by_digits && rubric_answer_digits(&d, answer))
        return write_score(s, row, &d, NULL);
    TRY(rubric_answer_vote(row, answer->text, !s->by_digits && strcmp(answer->finish_reason, "length") == 0));
    if (row->left > 0)
        return true;
    d = difficulty_of_votes(row->votes);
    return write_score(s, row, &d, NULL);
}

static bool enough(const void *state) { return score_tally_is_useless(&((const Score *)state)->tally); }

// ---- checks before the first problem

static bool check_options(Score *s)
{
    const ScoreOptions *o = &s->o;
    if (o->server.endpoint[0] != 0 && o->machine.plan)
        return fail_as(ERROR_USAGE, "--plan: the model is behind --endpoint, and takes no memory here");
    if (!o->machine.plan && (o->data.count == 0 || o->part.out[0] == 0))
        return fail_as(ERROR_USAGE, "give --data and --out");
    return row_work_check(&s->work) && scoring_check(&s->o.scoring, &s->options, s->work.remote);
}

// For a folder's model: the common beginning of its prompts, which the engine computes once, and the digits.
static bool begin_prompts(Score *s)
{
    RowWork *w = &s->work;
    const ModelFiles *files = &w->session.files;
    TokenList ids = {0};
    if (files->tokenizer == NULL)
        return fail("%s: has no tokenizer; name one with --tokenizer", files->folder.data);
    if (s->method == BY_PASS_RATE)
        return true;
    s->chat = files->chat;
    if (s->by_digits) {
        s->chat.kind = template_without_thoughts(s->chat.kind); // a thought would come before the digit
        TRY(rubric_digits(s->digits, w->encoder, files->tokenizer_folder.data));
    }
    bool ok = rubric_beginning(&s->rubric, &s->chat, w->encoder, &ids);
    if (ok && ids.count > 0)
        ok = (s->beginning = engine_prefix(w->session.engine, NULL, ids.ids, (int64_t)ids.count)) != NULL;
    tokens_free(&ids);
    return ok;
}

static bool name_scorer(Score *s)
{
    const RowWork *w = &s->work;
    const char *model = s->o.asked.model;
    s->scorer.remote = w->remote;
    s->scorer.prompt = s->method == BY_PASS_RATE
                           ? hash_bytes(s->o.scoring.instruction, strlen(s->o.scoring.instruction))
                           : s->rubric.hash;
    s->scorer.weights = hash_bytes(model, strlen(model)); // for a server: for the journal
    if (w->remote)
        return bytes_text(&s->scorer.name, model);
    return scorer_name_folder(&s->scorer.name, w->session.files.folder.data) &&
           session_fingerprint(&w->session, &s->scorer.weights);
}

static bool open_work(Score *s)
{
    RecordOptions reading = {.prompts = true, .any_difficulty = true};
    EndpointOptions server = endpoint_options(&s->o.server, s->o.asked.model);
    if (s->work.remote)
        TRY(s->o.answers[0] != 0 ? bytes_text(&s->answers, s->o.answers)
                                 : bytes_printf(&s->answers, "%s.answers", s->work.out.data));
    server.temperature = s->o.scoring.temperature;
    server.max_tokens = s->by_digits ? 1 : s->o.scoring.max_new_tokens;
    server.logprobs = s->by_digits;
    server.whole = s->method == BY_PASS_RATE; // a response that may be incomplete is not judged
    if (s->method == BY_PASS_RATE)
        reading.instruction = s->o.scoring.instruction;
    server.cache = s->answers.data;
    return row_work_open_rows(&s->work, &reading) && row_work_open_model(&s->work, &server) &&
           (s->work.remote || begin_prompts(s)) && name_scorer(s);
}

// What scores depend on, besides options.
static bool open_journal(Score *s)
{
    RowWork *w = &s->work;
    json_t *identity = options_identity(&s->options);
    TRY(identity != NULL);
    if (journal_fact(identity, "rows", w->facts.hash) && journal_fact(identity, "model", s->scorer.weights) &&
        journal_fact(identity, "tokenizer files", w->remote ? 0 : tokenizer_hash(w->session.files.tokenizer)) &&
        journal_fact(identity, "rubric", s->rubric.hash) &&
        (s->method != BY_PASS_RATE || journal_fact(identity, "answer checker", ANSWERS_VERSION)))
        return row_work_open_journal(w, identity, s->answers.data);
    json_decref(identity);
    return false;
}

// ---- the program

static bool score_rows(Score *s)
{
    RowWork *w = &s->work;
    TRY(row_work_divide(w) && open_work(s) && open_journal(s));
    s->tally =
        (ScoreTally){.journal = &w->journal, .rows = w->facts.mine, .unusable_share = s->o.scoring.unusable_share};
    s->responses = (PassRateAsking){.options = &s->o.scoring};
    s->tally.remedy =
        s->method == BY_PASS_RATE
            ? "no rule decides about most of those responses: ask for another form (--instruction), leave "
              "such rows out, or score by a rubric (--method logits)"
            : "ask more clearly (--rubric), give it more room (--max-new-tokens) or take another model";
    TRY(journal_each(&w->journal, score_tally_add, &s->tally) && row_work_run(w));
    bool useless = score_tally_is_useless(&s->tally), alone = w->ranks.size == 1;
    if (useless || alone)
        score_tally_show(&s->tally, &w->progress);
    TRY(useless ? score_tally_fail(&s->tally) : row_work_finish(w));
    if (alone || w->ranks.rank > 0)
        return true;
    TRY(score_tally_file(&s->tally, s->o.part.out));
    score_tally_show(&s->tally, &w->progress);
    return true;
}

static bool print_rubric(const Rubric *rubric)
{
    return (fwrite(rubric->text.data, 1, rubric->text.size, stdout) == rubric->text.size && putchar('\n') != EOF &&
            fflush(stdout) == 0) ||
           fail_errno("writing the rubric");
}

static bool run(void *state)
{
    Score *s = state;
    ScoreOptions *o = &s->o;
    s->method = (ScoreMethod)o->scoring.method.place;
    s->by_digits = s->method == BY_DIGITS;
    s->work.options = (RowWorkOptions){.given = &s->options,
                                       .asked = &o->asked,
                                       .server = &o->server,
                                       .sizes = &o->sizes,
                                       .machine = &o->machine,
                                       .ranks = &o->ranks,
                                       .files = &o->data,
                                       .reading = &o->reading,
                                       .part = &o->part,
                                       .program = "score",
                                       .watch = &o->watch,
                                       .live = &s->live,
                                       .context = o->context,
                                       .probes = s->by_digits ? DIFFICULTIES : 0,
                                       .each = 1,
                                       .counts_prompts = true,
                                       .questions = "questions",
                                       .results = "rows"};
    TRY(rubric_open(&s->rubric, o->scoring.rubric));
    if (o->scoring.print_rubric)
        return print_rubric(&s->rubric);
    if (o->part.join)
        return parts_join(&o->part, &s->options);
    TRY(check_options(s));
    return o->machine.plan ? row_work_plan(&s->work) : score_rows(s);
}

static bool stop(void *state)
{
    Score *s = state;
    journal_tell_stopped(&s->work.journal, &s->work.progress);
    return true;
}

static void close_all(void *state)
{
    Score *s = state;
    live_close(s->live);
    if (s->work.session.engine != NULL)
        engine_prefix_release(s->work.session.engine, s->beginning);
    row_work_close(&s->work);
    rubric_close(&s->rubric);
    score_tally_free(&s->tally);
    bytes_free(&s->scorer.name);
    bytes_free(&s->answers);
    bytes_free(&s->question);
    pass_rate_asking_free(&s->responses);
    bytes_free(&s->line);
}

static const Program SCORE = {"score", SCORE_USAGE, score_options, run, stop, close_all};

int main(int count, char **words)
{
    Score s = {.work = {.ask = ask_row, .take = take_answer, .enough = enough, .progress.out = stderr}};
    s.work.program = &s;
    return program_main(&SCORE, &s, &s.options, &s.o, count, words);
}
