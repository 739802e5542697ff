// Asking a judge: questions wait in lists, the journal is searched first, then the model's engine or the server is
// asked. A reply without a decision is no verdict; when there is no verdict for too long, the run ends.
#include "judges/judge.h"
#include "base/text.h"
#include "log/visible.h"
#include "judges/heard.h"
#include "judges/judge_form.h"
#include "judges/verdicts.h"
#include "server/endpoint.h"
#include "session/session.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEQUENCES = 64, CONTEXT_LEAST = 256, IN_FLIGHT = 64, ATTEMPT_LEAST = 120, SHOWN = 100, WHY_BYTES = SHOWN + 100 };
enum { LOST_MOST = 64 };                // to give up: so many questions, and two rounds, without a verdict
static const double ANSWERS_SOON = 1.5; // seconds
static const double CACHE_BYTES = 4e9;  // for keys and values, at most

typedef struct Question {
    struct Question *next;
    uint64_t tag, key[2];
    bool asked; // false: it waits for an equal question
    bool heard; // another process has asked it: score and why (its memory is Heard's) are known
    double score;
    const char *why;
    char ending[VERDICT_ENDING]; // the reply's finish_reason
    Bytes said;
} Question;

typedef struct Judge {
    JudgeOptions options;
    JudgeForm form;
    bool remote, greeted, ends_unsaid; // ends_unsaid: its server gives no finish_reason
    Verdicts verdicts;
    Heard heard;
    Session session;
    Encoder *encoder;
    Endpoint *endpoint;
    uint64_t hash;
    Question *pending, *answered;
    Question *handed_out; // its `why` may still be read by the caller
    Bytes prompt;
    char why[WHY_BYTES]; // of the question returned last
    // when to give up
    char last_why[300];
    int64_t lost;                       // questions without a verdict since the last verdict
    int64_t round_verdicts, round_lost; // since the last moment without open questions
    int64_t barren_rounds;              // successive such rounds with questions and without a verdict
} Judge;

// ---- opening

static SessionOptions session_options(const JudgeOptions *options, bool own_form)
{
    SessionOptions o = {.model = options->model, .template = own_form ? "auto" : "chatml", .device = options->device};
    o.threads = options->threads;
    o.sequences = SEQUENCES;
    o.cache = (int64_t)CACHE_BYTES;
    return o;
}

bool judge_needs(ModelNeeds *needs, const Kernels *kernels, const JudgeOptions *options)
{
    SessionOptions o = session_options(options, false);
    TRY(session_needs(needs, kernels, &o) || fail_in("--judge-model"));
    needs->name = "the judge's model";
    return true;
}

static bool open_folder(Judge *j)
{
    SessionOptions o = session_options(&j->options, j->form.own);
    TRY(session_open(&j->session, &o) || fail_in("--judge-model"));
    if (j->session.files.tokenizer == NULL)
        return fail("--judge-model %s: there is no tokenizer.json in it", j->options.model);
    if (engine_context(j->session.engine) < CONTEXT_LEAST)
        return fail("--judge-model %s: a context of %" PRId64 " tokens holds no question; take another model",
                    j->options.model, engine_context(j->session.engine));
    TRY((j->encoder = encoder_open(j->session.files.tokenizer)) != NULL);
    return session_fingerprint(&j->session, &j->hash);
}

static bool open_endpoint(Judge *j)
{
    EndpointOptions o = {
        .url = j->options.url, .model = j->options.model, .max_tokens = j->options.max_tokens, .seed = -1};
    o.in_flight = IN_FLIGHT;
    o.attempts = INT_MAX; // patience decides
    o.patience = j->options.patience;
    o.seconds = fmax(ATTEMPT_LEAST, j->options.patience / 3); // one that hangs is dropped in time for others
    o.backoff = 1;
    o.whole = true;
    j->hash = hash_bytes(o.model, strlen(o.model));
    return (j->endpoint = endpoint_open(&o)) != NULL;
}

static const char *or_none(const char *text) { return text == NULL ? "" : text; }

static bool open_verdicts(Judge *j);

Judge *judge_open(const JudgeOptions *options)
{
    Judge *j = allocate(1, sizeof *j);
    if (j == NULL)
        return NULL;
    j->options = *options;
    j->remote = options->url[0] != 0;
    if (judge_form_open(&j->form, options->question, or_none(options->prompt), or_none(options->yes),
                        or_none(options->no)) &&
        (j->remote ? open_endpoint(j) : open_folder(j)) && open_verdicts(j))
        return j;
    judge_close(j);
    return NULL;
}

static bool failed(const Question *q) { return strcmp(q->ending, VERDICT_FAILED) == 0; }

static void end_with(Question *q, const char *ending) { snprintf(q->ending, sizeof q->ending, "%s", ending); }

static void free_questions(Question *q)
{
    while (q != NULL) {
        Question *next = q->next;
        bytes_free(&q->said);
        free(q);
        q = next;
    }
}

void judge_close(Judge *j)
{
    if (j == NULL)
        return;
    free_questions(j->pending);
    free_questions(j->answered);
    free_questions(j->handed_out);
    endpoint_close(j->endpoint);
    encoder_close(j->encoder);
    session_close(&j->session);
    verdicts_close(&j->verdicts);
    heard_free(&j->heard);
    judge_form_close(&j->form);
    bytes_free(&j->prompt);
    free(j);
}

uint64_t judge_zeros(const Judge *j) { return j->verdicts.file.file.zeros; }
uint64_t judge_hash(const Judge *j) { return j->hash; }
uint64_t judge_form_of(const Judge *j) { return j->form.hash; }

// ---- verdicts

// NULL: the reply is complete. A cut-off reply may have been about to say more, "Final Decision: Yes, but".
static const char *why_unsaid(const Question *q)
{
    return failed(q) ? q->said.data == NULL ? "it failed" : q->said.data
           : strcmp(q->ending, "length") == 0
               ? "what it said was cut off (finish_reason length); give it more --judge-tokens"
           : strcmp(q->ending, "content_filter") == 0
               ? "what it said was cut off by its server's filter (finish_reason content_filter)"
               : NULL;
}

// With the end of the reply, where decisions are, made displayable.
static const char *why_undecided(Judge *j, const Question *q)
{
    Text said = text_trimmed((Text){q->said.data, q->said.size});
    size_t cut = said.size > SHOWN ? said.size - SHOWN : 0;
    while (cut > 0 && cut < said.size && ((unsigned char)said.data[cut] & 0xC0) == 0x80)
        cut++; // between two characters
    const char *what = said.size == 0 ? "it said nothing" : cut > 0 ? "at its end: \"..." : "it said: \"";
    int at = snprintf(j->why, sizeof j->why, "it said neither yes nor no; %s", what);
    for (size_t i = cut; i < said.size;) {
        Character c = character_at(said.data + i, said.size - i);
        bool shown = c.valid && !character_hidden(c.code);
        for (size_t k = 0; k < (shown ? c.size : 1); k++)
            j->why[at++] = shown ? said.data[i + k] : ' ';
        i += c.size;
    }
    j->why[at] = 0;
    return strcat(j->why, said.size == 0 ? "" : "\"");
}

static double score_of(const Judge *j, const Question *q)
{
    if (q->heard)
        return q->score;
    return why_unsaid(q) != NULL ? NAN : judge_form_score(&j->form, (Text){q->said.data, q->said.size});
}

static const char *why_none(Judge *j, const Question *q) // why its score is NaN
{
    const char *why = q->heard ? q->why : why_unsaid(q);
    return why != NULL ? why : why_undecided(j, q);
}

// ---- those of other processes

static bool hear_reply(void *judge, const uint64_t key[2], const Answer *reply)
{
    Judge *j = judge;
    Question q = {.said = {(char *)reply->text.data, reply->text.size, 0}};
    end_with(&q, reply->finish_reason);
    if (failed(&q))
        return true;
    double score = score_of(j, &q);
    return heard_add(&j->heard, key, score, isnan(score) ? why_none(j, &q) : NULL);
}

static bool open_verdicts(Judge *j)
{
    j->heard.telling = j->options.telling;
    return verdicts_open(&j->verdicts, j->options.journal) &&
           heard_journals(j->options.journal, j->options.others, hear_reply, j);
}

static bool is_heard(const Judge *j, Question *q)
{
    const HeardVerdict *v = heard_find(&j->heard, q->key);
    q->heard = v != NULL;
    if (q->heard) {
        q->score = v->score;
        q->why = v->why;
    }
    return q->heard;
}

bool judge_tell(Judge *j, Bytes *out) { return heard_tell(&j->heard, out); }
bool judge_hear(Judge *j, Text told) { return heard_take(&j->heard, told); }

// ---- giving up

static void count(Judge *j, const Question *q)
{
    bool verdict = !isnan(score_of(j, q));
    j->round_verdicts += verdict;
    j->round_lost += !verdict;
    j->lost = verdict ? 0 : j->lost + 1;
    if (!verdict)
        snprintf(j->last_why, sizeof j->last_why, "%s", why_none(j, q));
}

// Ends a run that would learn nothing, as for graders that stop answering.
static bool end_round(Judge *j)
{
    bool barren = j->round_verdicts == 0 && j->round_lost > 0;
    j->barren_rounds = j->round_verdicts > 0 ? 0 : j->barren_rounds + barren;
    j->round_verdicts = j->round_lost = 0;
    if (!barren || j->barren_rounds < 2 || j->lost < LOST_MOST)
        return true;
    return fail("--judge-model %s: the last %" PRId64
                " questions have no verdict; %.300s; check its server, or the model and the patterns "
                "of its decisions; its replies are kept",
                j->options.model, j->lost, j->last_why);
}

// ---- asking

static bool render(const Judge *j, Bytes *out)
{
    Message m = {.role = ROLE_USER, .content = {j->prompt.data, j->prompt.size}};
    if (j->form.own)
        return template_prompt(&j->session.files.chat, out, &m, 1, true) || fail_in("--judge-model");
    return bytes_text(out, "User: ") && bytes_append(out, j->prompt.data, j->prompt.size) &&
           bytes_text(out, " Assistant:");
}

static bool ask_folder(Judge *j, Question *q)
{
    Bytes text = {0};
    TokenList ids = {0};
    bool ok = render(j, &text) && encode(j->encoder, &ids, text.data, text.size);
    int64_t room = engine_context(j->session.engine) - (int64_t)ids.count;
    q->asked = true;
    if (ok && room < 1) {
        end_with(q, VERDICT_FAILED);
        ok = bytes_text(&q->said, "the question is longer than the judge's context");
    } else if (ok) {
        GenerationRequest r = {
            .tag = (uint64_t)(uintptr_t)q, .prompt = ids.ids, .prompt_count = (int64_t)ids.count, .samples = 1};
        r.max_new_tokens = j->options.max_tokens;
        r.top_p = 1;
        r.stop = j->session.files.stop;
        r.stop_count = j->session.files.stop_count;
        ok = engine_add(j->session.engine, &r);
    }
    bytes_free(&text);
    tokens_free(&ids);
    return ok;
}

static bool ask_endpoint(Judge *j, Question *q)
{
    Message m = {.role = ROLE_USER, .content = {j->prompt.data, j->prompt.size}};
    q->asked = true;
    return endpoint_ask(j->endpoint, &m, 1, (uint64_t)(uintptr_t)q);
}

static bool same_is_asked(const Judge *j, const Question *q)
{
    for (const Question *other = j->pending; other != NULL; other = other->next)
        if (other->asked && memcmp(other->key, q->key, sizeof q->key) == 0)
            return true;
    return false;
}

static void append(Question **list, Question *q)
{
    while (*list != NULL)
        list = &(*list)->next;
    q->next = NULL;
    *list = q;
}

static bool write_key(Judge *j, Question *q, Text problem, Text reference, Text answer)
{
    const uint64_t who[] = {j->hash, j->form.hash, (uint64_t)j->options.max_tokens};
    Bytes all = {0};
    bool ok = judge_form_fill(&j->form, &j->prompt, problem, reference, answer) &&
              bytes_append(&all, who, sizeof who) && bytes_append(&all, j->prompt.data, j->prompt.size);
    if (ok)
        hash_bytes_128(all.data, all.size, q->key);
    bytes_free(&all);
    return ok;
}

static bool settle(Judge *j, Question *q);

bool judge_ask(Judge *j, uint64_t tag, Text problem, Text reference, Text answer)
{
    bool there = false;
    Question *q = allocate(1, sizeof *q);
    TRY(q != NULL);
    q->tag = tag;
    if (!write_key(j, q, problem, reference, answer) ||
        !verdicts_find(&j->verdicts, q->key, &there, q->ending, &q->said)) {
        free_questions(q);
        return false;
    }
    if ((there && !failed(q)) || is_heard(j, q)) {
        count(j, q);
        append(&j->answered, q);
        return true;
    }
    end_with(q, ""); // at that time; it may answer now
    bytes_clear(&q->said);
    bool same = same_is_asked(j, q);
    append(&j->pending, q);
    if (j->options.waiting != NULL && !j->greeted) { // by a question of its own, which is in the place of this one
        j->greeted = true;
        TRY(judge_greet(j, j->options.waiting) && write_key(j, q, problem, reference, answer));
    }
    TRY(same || (j->remote ? ask_endpoint(j, q) : ask_folder(j, q)));
    return !failed(q) || settle(j, q); // it could not be asked
}

// ---- receiving

static void take_out(Question **list, Question *q)
{
    while (*list != q)
        list = &(*list)->next;
    *list = q->next;
}

// Writes to the file, then to all who asked the same.
static bool settle(Judge *j, Question *q)
{
    double score = score_of(j, q);
    TRY(verdicts_add(&j->verdicts, q->key, q->ending, (Text){q->said.data, q->said.size}));
    TRY(failed(q) || heard_own(&j->heard, q->key, score, isnan(score) ? why_none(j, q) : NULL));
    take_out(&j->pending, q);
    append(&j->answered, q);
    count(j, q);
    for (Question **at = &j->pending; *at != NULL;) {
        Question *other = *at;
        if (other->asked || memcmp(other->key, q->key, sizeof q->key) != 0) {
            at = &other->next;
            continue;
        }
        *at = other->next;
        end_with(other, q->ending);
        TRY(bytes_append(&other->said, q->said.data, q->said.size));
        append(&j->answered, other);
    }
    return true;
}

static bool take_results(Judge *j)
{
    GenerationResult r;
    while (engine_next(j->session.engine, &r)) {
        Question *q = (Question *)(uintptr_t)r.tag;
        int64_t count = r.reason == FINISH_STOP ? r.count - 1 : r.count;
        end_with(q, r.reason == FINISH_STOP ? "stop" : "length");
        TRY(decode(j->session.files.tokenizer, &q->said, r.ids, (size_t)count, false) && settle(j, q));
    }
    return true;
}

static bool work_folder(Judge *j, double seconds)
{
    double until = clock_seconds() + seconds;
    while (!engine_empty(j->session.engine) && clock_seconds() < until)
        TRY(engine_step(j->session.engine) && take_results(j));
    return true;
}

// The server stopped in the middle, which is not the question's fault (vLLM's and SGLang's words).
static bool gave_up(const char *finish_reason)
{
    return strcmp(finish_reason, "abort") == 0 || strcmp(finish_reason, "error") == 0;
}

static const char *url_option(const Judge *j)
{
    return j->options.url_option != NULL ? j->options.url_option : "--endpoint";
}

static bool not_let_in(const Judge *j, const EndpointAnswer *a)
{
    return fail("%s: the judge's server rejects the key: %s, the environment variable with its key", url_option(j),
                a->error);
}

static bool not_there(const Judge *j, const EndpointAnswer *a)
{
    if (a->status == 401 || a->status == 403)
        return not_let_in(j, a);
    if (a->status >= 300 && a->status < 500 && a->status != 408 && a->status != 429)
        return fail("%s: the judge's server refuses the first question: %s; %s is the address up to /v1, "
                    "--judge-model (%s) a name that the server lists at /v1/models, and --judge-tokens (%" PRId64 ") "
                    "must leave room in its context",
                    url_option(j), a->error, url_option(j), j->options.model, j->options.max_tokens);
    return fail("%s: no answer to the first question in %g seconds: %s; check that the server runs and that its "
                "address is right (--judge-patience sets how long to wait)",
                url_option(j), j->options.patience, a->error);
}

bool judge_greet(Judge *j, void (*waiting)(const char *url, const char *trouble))
{
    static const Text problem = {"What is 1 + 1?", 14}, two = {"2", 1};
    EndpointAnswer a;
    bool there;
    if (!j->remote)
        return true;
    TRY(judge_form_fill(&j->form, &j->prompt, problem, two, two));
    Message m = {.role = ROLE_USER, .content = {j->prompt.data, j->prompt.size}};
    endpoint_set_whole(j->endpoint, false);
    TRY(endpoint_ask(j->endpoint, &m, 1, 0) && endpoint_try(j->endpoint, &a, ANSWERS_SOON, &there));
    if (!there && waiting != NULL)
        waiting(endpoint_url(j->endpoint), endpoint_trouble(j->endpoint));
    while (!there)
        TRY(endpoint_try(j->endpoint, &a, 60, &there));
    j->ends_unsaid = !a.failed && a.finish_reason[0] == 0;
    endpoint_set_whole(j->endpoint, !j->ends_unsaid);
    return !a.failed || not_there(j, &a);
}

static bool work_endpoint(Judge *j, double seconds)
{
    double until = clock_seconds() + seconds, left = seconds;
    for (bool there = true; endpoint_pending(j->endpoint) > 0 && (there || left > 0); left = until - clock_seconds()) {
        EndpointAnswer a;
        TRY(endpoint_try(j->endpoint, &a, left < 0 ? 0 : left > 60 ? 60 : left, &there));
        if (!there)
            continue;
        Question *q = (Question *)(uintptr_t)a.tag;
        if (a.failed && (a.status == 401 || a.status == 403))
            return not_let_in(j, &a);
        end_with(q, a.failed || gave_up(a.finish_reason) ? VERDICT_FAILED
                    : a.finish_reason[0] == 0            ? "stop"
                                                         : a.finish_reason);
        TRY(a.failed                   ? bytes_text(&q->said, a.error)
            : gave_up(a.finish_reason) ? bytes_printf(&q->said, "the server ended its answer (\"%s\")", a.finish_reason)
                                       : bytes_append(&q->said, a.text.data, a.text.size));
        TRY(settle(j, q));
    }
    return true;
}

bool judge_work(Judge *j, double seconds)
{
    TRY(j->remote ? work_endpoint(j, seconds) : work_folder(j, seconds));
    return seconds == 0 || j->pending != NULL || end_round(j);
}

const char *judge_news(Judge *j) { return j->remote ? endpoint_news(j->endpoint) : NULL; }

const char *judge_without_ends(const Judge *j) { return j->ends_unsaid ? endpoint_url(j->endpoint) : NULL; }

int64_t judge_pending(const Judge *j)
{
    int64_t count = 0;
    for (const Question *q = j->pending; q != NULL; q = q->next)
        count++;
    return count;
}

bool judge_next(Judge *j, uint64_t *tag, double *score, const char **why)
{
    free_questions(j->handed_out);
    Question *q = j->handed_out = j->answered;
    if (q == NULL)
        return false;
    j->answered = q->next;
    q->next = NULL;
    *tag = q->tag;
    *score = score_of(j, q);
    *why = isnan(*score) ? why_none(j, q) : NULL;
    return true;
}
