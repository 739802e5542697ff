// Difficulty 1 to 5 of every problem, by a language model that reads it under a rubric. Either the model's
// probabilities of the digits 1 to 5 as the next token decide, which costs one pass over each problem (the rubric's
// beginning is computed once for all); or an answer that it writes. The model is a folder here, or behind a server.
// This file is C, in spite of its ending: it compiles with or without nvcc.
#include "difficulty/score_row.h"
#include "asking/row_work.h"
#include "options/program.h"
#include "score_options.h"
#include <stdlib.h>
#include <string.h>

typedef struct Score {
    ScoreOptions o;
    Options options;
    Rubric rubric;
    RowWork work; // the rows and the model
    bool by_digits;
    Scorer scorer;
    ScoreTally tally;
    Bytes line, question;
    // a folder's model
    ChatTemplate chat;   // the folder's, without thoughts where a digit must follow at once
    Sequence *beginning; // the common prefix of all prompts, up to the problem
    int32_t digits[DIFFICULTIES];
    // a server's
    Bytes answers; // the file of kept answers
} Score;

enum { ANSWER_SHOWN = 200 }; // bytes of an answer's end, in rows and errors

// ---- asking about a row

static bool ask_folder(Score *s, Pending *row, Text problem)
{
    GenerationRequest r = {
        .seed = (uint64_t)s->o.seed, .id = hash_bytes(problem.data, problem.size), .prefix = s->beginning};
    r.samples = s->by_digits ? 1 : (int32_t)s->o.samples;
    r.temperature = (float)s->o.temperature;
    r.top_p = 1;
    r.max_new_tokens = s->o.max_new_tokens;
    r.probe = s->by_digits ? s->digits : NULL;
    r.probe_count = s->by_digits ? DIFFICULTIES : 0;
    return rubric_prompt(&s->rubric, &s->chat, s->work.encoder, &row->ids, problem) &&
           row_work_ask_folder(&s->work, row, &r);
}

static bool ask_server(Score *s, Pending *row, Text problem)
{
    TRY(rubric_fill(&s->rubric, &s->question, problem));
    Message message = {ROLE_USER, {s->question.data, s->question.size}, {NULL, 0}};
    return row_work_ask_server(&s->work, row, &message, 1, s->o.seed);
}

static bool ask_row(void *state, Pending *row, const Record *record)
{
    Score *s = state;
    Text problem;
    return rubric_question(&problem, record) && score_row_begin(&row->row, record) &&
           (s->work.remote ? ask_server(s, row, problem) : ask_folder(s, row, problem));
}

// ---- writing it

// cut: it reached its limit, so its last line is incomplete. One-token answers, wanted for digits, always do.
static bool vote(Pending *row, Text said, bool cut)
{
    int level = cut ? 0 : difficulty_in_text(said.data, said.size);
    if (++row->votes[level] > 1 || level > 0)
        return true;
    size_t from = said.size > ANSWER_SHOWN ? said.size - ANSWER_SHOWN : 0;
    while (from < said.size && (said.data[from] & 0xc0) == 0x80)
        from++; // not in the middle of a character
    return bytes_append(&row->useless, said.data + from, said.size - from) &&
           bytes_text(&row->useless, cut ? " (cut off)" : "");
}

// By the probabilities of the digits: a folder's are exact; a server names some candidates, or none.
static bool look_at_digits(Difficulty *d, const RowAnswer *answer)
{
    double logprob[DIFFICULTIES];
    if (answer->generated == NULL)
        return difficulty_of_top(d, answer->top, answer->top_count);
    for (int i = 0; i < DIFFICULTIES; i++)
        logprob[i] = (double)answer->generated->probe[i];
    *d = difficulty_of_logprobs(logprob);
    return true;
}

static bool write_score(Score *s, const Pending *row, const Difficulty *d)
{
    bytes_clear(&s->line);
    Text before = {row->row.data, row->row.size}, said = {row->useless.data, row->useless.size};
    return score_row_end(&s->line, before, d, said, &s->scorer) &&
           journal_add(&s->work.journal, row_work_number(&s->work, row->number, 0), s->line.data, s->line.size) &&
           score_tally_add(&s->tally, (Text){s->line.data, s->line.size});
}

static bool take_answer(void *state, Pending *row, const RowAnswer *answer)
{
    Score *s = state;
    Difficulty d;
    if (s->by_digits && look_at_digits(&d, answer))
        return write_score(s, row, &d);
    TRY(vote(row, answer->text, !s->by_digits && strcmp(answer->finish_reason, "length") == 0));
    if (row->left > 0)
        return true;
    d = difficulty_of_votes(row->votes);
    return write_score(s, row, &d);
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
    TRY(row_work_check(&s->work));
    if (s->work.remote && o->samples > 1)
        return fail_as(ERROR_USAGE, "--samples is for a model folder; a server is asked once for each problem");
    if (o->samples > 1 && (s->by_digits || o->temperature == 0))
        return fail_as(ERROR_USAGE,
                       "--samples %" PRId64 ": several answers are for --method generate with a --temperature above 0",
                       o->samples);
    return true;
}

// A folder is identified by the last two parts of its path: every run calls its own folder "model".
static bool name_folder(Bytes *name, const char *folder)
{
    char *path = realpath(folder, NULL);
    if (path == NULL)
        return fail_errno("%s: finding its real path", folder);
    const char *from = path + strlen(path);
    for (int slashes = 0; from > path && (from[-1] != '/' || ++slashes < 2);)
        from--;
    bool ok = bytes_text(name, from);
    free(path);
    return ok;
}

// For a folder's model: the common beginning of its prompts, which the engine computes once, and the digits.
static bool begin_prompts(Score *s)
{
    RowWork *w = &s->work;
    const ModelFiles *files = &w->session.files;
    TokenList ids = {0};
    if (files->tokenizer == NULL)
        return fail("%s: has no tokenizer; name one with --tokenizer", files->folder.data);
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
    s->scorer.prompt = s->rubric.hash;
    s->scorer.weights = hash_bytes(model, strlen(model)); // for a server: for the journal
    if (w->remote)
        return bytes_text(&s->scorer.name, model);
    return name_folder(&s->scorer.name, w->session.files.folder.data) &&
           session_fingerprint(&w->session, &s->scorer.weights);
}

static bool open_work(Score *s)
{
    static const RecordOptions reading = {.prompts = true, .any_difficulty = true};
    EndpointOptions server = endpoint_options(&s->o.server, s->o.asked.model);
    if (s->work.remote)
        TRY(s->o.answers[0] != 0 ? bytes_text(&s->answers, s->o.answers)
                                 : bytes_printf(&s->answers, "%s.answers", s->work.out.data));
    server.temperature = s->o.temperature;
    server.max_tokens = s->by_digits ? 1 : s->o.max_new_tokens;
    server.logprobs = s->by_digits;
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
        journal_fact(identity, "rubric", s->rubric.hash))
        return row_work_open_journal(w, identity, s->answers.data);
    json_decref(identity);
    return false;
}

// ---- the program

static bool score_rows(Score *s)
{
    RowWork *w = &s->work;
    TRY(row_work_divide(w) && open_work(s) && open_journal(s));
    s->tally = (ScoreTally){.journal = &w->journal, .rows = w->facts.mine, .unusable_share = s->o.unusable_share};
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
    s->by_digits = o->method.place == 0;
    s->work.options = (RowWorkOptions){.given = &s->options,
                                       .asked = &o->asked,
                                       .server = &o->server,
                                       .sizes = &o->sizes,
                                       .machine = &o->machine,
                                       .ranks = &o->ranks,
                                       .files = &o->data,
                                       .reading = &o->reading,
                                       .part = &o->part,
                                       .context = o->context,
                                       .probes = s->by_digits ? DIFFICULTIES : 0,
                                       .each = 1,
                                       .counts_prompts = true,
                                       .questions = "questions",
                                       .results = "rows"};
    TRY(rubric_open(&s->rubric, o->rubric));
    if (o->print_rubric)
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
    if (s->work.session.engine != NULL)
        engine_prefix_release(s->work.session.engine, s->beginning);
    row_work_close(&s->work);
    rubric_close(&s->rubric);
    score_tally_free(&s->tally);
    bytes_free(&s->scorer.name);
    bytes_free(&s->answers);
    bytes_free(&s->question);
    bytes_free(&s->line);
}

static const Program SCORE = {"score", SCORE_USAGE, score_options, run, stop, close_all};

int main(int count, char **words)
{
    Score s = {.work = {.ask = ask_row, .take = take_answer, .enough = enough, .progress.out = stderr}};
    s.work.program = &s;
    return program_main(&SCORE, &s, &s.options, &s.o, count, words);
}
