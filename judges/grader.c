// The trainer's side of graders: sends questions to the pool of processes (grader_pool.c) and keeps the answers in the
// journal. A question that was answered before is answered from there; when no program gives scores any more, the run
// ends.
#include "judges/grader.h"
#include "json/json.h"
#include "judges/grader_pool.h"
#include "judges/grader_sandbox.h"
#include "judges/heard.h"
#include "judges/verdicts.h"
#include "system/signals.h"
#include "system/phase.h"
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Graded {
    struct Graded *next;
    uint64_t tag, key[2];
    bool asked;                // false: it waits for an equal question
    bool greeting, understood; // of grader_greet: kept in no journal and counted nowhere; answered with a verdict
    bool replayed;             // an earlier process failed to get its verdict
    double score;              // NaN: there is none, see why
    char why[512];
} Graded;

typedef struct Grader {
    GraderOptions options;
    Bytes name; // the command's
    bool sandboxed;
    pid_t pool;
    int socket;
    Verdicts verdicts;
    Heard heard;
    Bytes out, in;
    Graded *pending, *answered, *handed_out;
    // When to give up. Only what programs print now shows whether they work: verdicts from the journal do not count,
    // and neither do failures of questions that had failed before this process began.
    bool has_answered, has_scored;    // at any time, also in the journal: a verdict; a number
    int64_t answers, others;          // since the start: answers; outputs that nobody had asked for
    int64_t lost, lost_again;         // questions without a number since the last number; of these, failed before too
    int64_t round_scores, round_lost; // since the last moment without open questions
    int64_t barren_rounds;            // successive such rounds with questions and without a number
    char last_why[512];               // the reason of the last one without a number
} Grader;

enum {
    START_MS = 300,    // time in which a command that cannot be run ends
    LOST_AT_FIRST = 4, // times processes (and at least 16): for one that never gave a number
    LOST_LATER = 64,   // for one that did, in two rounds without any
};
static const double SCORE_MOST = 1e6; // larger ones are mistakes, and would spoil sums of squares

// ---- opening

static bool start_pool(Grader *g)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return fail_errno("--grader: creating its socket");
    g->pool = fork();
    if (g->pool < 0)
        return fail_errno("--grader: creating its process");
    if (g->pool == 0) {
        close(pair[0]);
        grader_pool_run(pair[1], &g->options, g->sandboxed);
    }
    close(pair[1]);
    g->socket = pair[0];
    fcntl(g->socket, F_SETFL, O_NONBLOCK);
    return true;
}

static bool take_frames(Grader *g);
static bool open_verdicts(Grader *g);

static bool started(Grader *g)
{
    struct pollfd fd = {g->socket, POLLIN, 0};
    return poll(&fd, 1, START_MS) <= 0 || take_frames(g);
}

Grader *grader_open(const GraderOptions *options)
{
    Grader *g = allocate(1, sizeof *g);
    if (g == NULL)
        return NULL;
    g->options = *options;
    g->socket = -1;
    bool wanted = strcmp(options->sandbox, "none") != 0;
    g->sandboxed = wanted && grader_sandbox_works();
    bool ok =
        g->sandboxed || strcmp(options->sandbox, "bwrap") != 0 ||
        fail("--grader-sandbox bwrap: bubblewrap is not installed, or may not make namespaces here; take auto or none");
    ok = ok && grader_command_name(&g->name, options->command);
    if (ok && open_verdicts(g) && start_pool(g) && started(g))
        return g;
    grader_close(g);
    return NULL;
}

static void free_all(Graded *q)
{
    while (q != NULL) {
        Graded *next = q->next;
        free(q);
        q = next;
    }
}

void grader_close(Grader *g)
{
    if (g == NULL)
        return;
    if (g->socket >= 0)
        close(g->socket); // the pool ends its children, then itself
    if (g->pool > 0)
        waitpid(g->pool, NULL, 0);
    free_all(g->pending);
    free_all(g->answered);
    free_all(g->handed_out);
    bytes_free(&g->name);
    bytes_free(&g->out);
    bytes_free(&g->in);
    verdicts_close(&g->verdicts);
    heard_free(&g->heard);
    free(g);
}

uint64_t grader_zeros(const Grader *g) { return g->verdicts.file.file.zeros; }
const char *grader_sandbox(const Grader *g) { return g->sandboxed ? "bubblewrap" : "none"; }

// ---- asking

static void append(Graded **list, Graded *q)
{
    while (*list != NULL)
        list = &(*list)->next;
    q->next = NULL;
    *list = q;
}

// The name has been part of the journal's key since the second form of questions: answers in the first form lack it.
static bool write_key(const Grader *g, Graded *q, Text question)
{
    Bytes all = {0};
    bool ok = bytes_append(&all, g->name.data, g->name.size) && bytes_append(&all, question.data, question.size);
    if (ok)
        hash_bytes_128(all.data, all.size, q->key);
    bytes_free(&all);
    return ok;
}

static void write_name(char name[GRADER_NAME + 1], const Graded *q)
{
    snprintf(name, GRADER_NAME + 1, "%016" PRIx64 "%016" PRIx64, q->key[0], q->key[1]);
}

static bool same_is_asked(const Grader *g, const Graded *q)
{
    for (const Graded *other = g->pending; other != NULL; other = other->next)
        if (other->asked && memcmp(other->key, q->key, sizeof q->key) == 0)
            return true;
    return false;
}

static bool send_question(Grader *g, Graded *q, Text question)
{
    char name[GRADER_NAME + 1];
    write_name(name, q);
    q->asked = true;
    size_t head = strlen(GRADER_BEGINNING) + GRADER_NAME + 2; // {"question":"NAME", and the question without its {
    GraderFrame f = {(uint64_t)(uintptr_t)q, (uint32_t)(head + question.size - 1), GRADER_QUESTION};
    return bytes_append(&g->out, &f, sizeof f) && bytes_printf(&g->out, "%s%s\",", GRADER_BEGINNING, name) &&
           bytes_append(&g->out, question.data + 1, question.size - 1);
}

static bool find_verdict(Grader *g, Graded *q, bool *there);

bool grader_ask(Grader *g, uint64_t tag, Text question)
{
    bool there = false;
    if (question.size < 3 || question.data[0] != '{')
        return fail("--grader: a question must be an object with something in it");
    Graded *q = allocate(1, sizeof *q);
    TRY(q != NULL);
    q->tag = tag;
    if (!write_key(g, q, question) || !find_verdict(g, q, &there)) {
        free(q);
        return false;
    }
    bool same = !there && same_is_asked(g, q);
    append(there ? &g->answered : &g->pending, q);
    return there || same || send_question(g, q, question);
}

// ---- reading an answer

// As much of a program's output as fits, made displayable.
static void show(char *shown, size_t room, Text text)
{
    size_t size = text.size < room - 1 ? text.size : room - 1;
    while (size > 0 && size < text.size && ((unsigned char)text.data[size] & 0xc0) == 0x80)
        size--; // not in the middle of a character
    for (size_t i = 0, valid = 0; i < size; i++) {
        if (i >= valid)
            valid = i + utf8_valid_prefix(text.data + i, size - i);
        bool readable = i < valid && (unsigned char)text.data[i] >= ' ' && text.data[i] != 0x7f;
        shown[i] = readable ? text.data[i] : '?';
    }
    shown[size] = 0;
}

static void explain(Graded *q, const char *what, Text text)
{
    char shown[GRADER_SHOWN + 1];
    show(shown, sizeof shown, text);
    snprintf(q->why, sizeof q->why, "%s: \"%s\"%s", what, shown, text.size > GRADER_SHOWN ? "..." : "");
}

// True: the line is a verdict, a score or null. The same line is the same verdict, from a program or the journal.
static bool read_verdict(Graded *q, Text line)
{
    char name[GRADER_NAME + 1];
    json_error_t error;
    write_name(name, q);
    json_t *root = json_loadb(line.data, line.size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    const char *question = json_string_value(json_object_get(root, "question"));
    const json_t *score = json_object_get(root, "score");
    bool none = json_is_null(score), number = json_is_number(score) || json_is_boolean(score);
    double value = json_is_boolean(score) ? json_is_true(score) : json_number_value(score);
    q->score = NAN;
    q->why[0] = 0;
    if (root == NULL)
        explain(q, "its answer is not JSON, or has a number that is invalid or too large", line);
    else if (question == NULL || strcmp(question, name) != 0)
        explain(q, "its answer lacks the question's \"question\"", line);
    else if (none)
        explain(q, "it gave no score", line);
    else if (!number)
        explain(q, "its answer has no number named score", line);
    else if (!(fabs(value) <= SCORE_MOST))
        explain(q, "its score is beyond 1e6", line);
    else
        q->score = value;
    json_decref(root);
    return q->why[0] == 0 || none;
}

// Another process has asked it.
static bool is_heard(const Grader *g, Graded *q)
{
    const HeardVerdict *v = heard_find(&g->heard, q->key);
    if (v == NULL)
        return false;
    q->score = v->score;
    snprintf(q->why, sizeof q->why, "%s", v->why == NULL ? "" : v->why);
    return true;
}

// Looks it up in the journal. An entry that is no verdict is asked again.
static bool find_verdict(Grader *g, Graded *q, bool *there)
{
    char ending[VERDICT_ENDING] = "";
    Bytes said = {0};
    bool ok = verdicts_find(&g->verdicts, q->key, there, ending, &said);
    *there = ok && *there && strcmp(ending, VERDICT_FAILED) != 0 && said.size > 0 &&
             read_verdict(q, (Text){said.data, said.size});
    *there = ok && (*there || is_heard(g, q));
    g->has_answered = g->has_answered || *there;
    q->replayed = !*there && verdicts_had_failed(&g->verdicts, q->key);
    bytes_free(&said);
    return ok;
}

// A number in the journal: the program did work once.
static bool look_for_scores(Grader *g)
{
    Bytes said = {0};
    size_t at = 0;
    bool ok = true, there = true;
    while (ok && there && !g->has_scored) {
        ok = verdicts_next(&g->verdicts, &at, &there, &said);
        json_t *root = ok && there ? json_loadb(said.data == NULL ? "" : said.data, said.size, 0, NULL) : NULL;
        const json_t *score = json_object_get(root, "score");
        g->has_scored = json_is_number(score) || json_is_boolean(score);
        json_decref(root);
    }
    g->has_answered = g->has_scored;
    bytes_free(&said);
    return ok;
}

static bool hear_reply(void *grader, const uint64_t key[2], const Answer *reply)
{
    Grader *g = grader;
    Graded q = {.key = {key[0], key[1]}};
    if (strcmp(reply->finish_reason, VERDICT_FAILED) == 0 || !read_verdict(&q, reply->text))
        return true;
    g->has_answered = g->has_scored = g->has_scored || !isnan(q.score);
    return heard_add(&g->heard, key, q.score, isnan(q.score) ? q.why : NULL);
}

static bool open_verdicts(Grader *g)
{
    g->heard.telling = g->options.telling;
    return verdicts_open(&g->verdicts, g->options.journal) && look_for_scores(g) &&
           heard_journals(g->options.journal, g->options.others, hear_reply, g);
}

bool grader_tell(Grader *g, Bytes *out) { return heard_tell(&g->heard, out); }
bool grader_hear(Grader *g, Text told) { return heard_take(&g->heard, told); }

// ---- receiving

static const char HOW[] =
    "for each line that it reads it must print one, {\"question\": the question's own, \"score\": 0.5}, at once "
    "(flushed), and everything else to standard error";

static const char *sandbox_hint(const Grader *g)
{
    return g->sandboxed
               ? " (it runs in bubblewrap: read-only, /tmp, /var/tmp and /run empty but for the working folder, no "
                 "network, "
                 "not as root, without keys and tokens in its environment; --grader-sandbox none runs it outside)"
               : "";
}

// A program that never gives a score, or gives none any more, ends the run: better than a run that learns nothing.
static bool hope(const Grader *g, const char *why)
{
    int64_t most = LOST_AT_FIRST * g->options.processes > 16 ? LOST_AT_FIRST * g->options.processes : 16;
    if (g->others >= most && 2 * g->others > g->answers)
        return fail("--grader %s: it prints more than answers, so it was replaced %" PRId64 " times; %s; %s",
                    g->options.command, g->others, why, HOW);
    bool never = !g->has_scored && g->lost >= most,
         no_more = g->barren_rounds >= 2 && g->lost - g->lost_again >= LOST_LATER;
    if (never || no_more)
        return fail("--grader %s: the last %" PRId64 " questions have no score; %s; %s%s; its answers are kept in "
                    "%s%s to have everything asked again",
                    g->options.command, g->lost, why, HOW, sandbox_hint(g), g->verdicts.file.file.path,
                    g->options.telling ? " and beside it, in those of other ranks; remove these files"
                                       : "; remove that file");
    return true;
}

static void count(Grader *g, const Graded *q, bool verdict)
{
    bool score = !isnan(q->score);
    g->has_answered = g->has_answered || verdict;
    g->has_scored = g->has_scored || score;
    g->answers += verdict;
    g->round_scores += score;
    g->round_lost += !score && !q->replayed;
    g->lost = score ? 0 : g->lost + 1;
    g->lost_again = score ? 0 : g->lost_again + q->replayed;
    if (!score)
        memcpy(g->last_why, q->why, sizeof g->last_why);
}

// Writes a verdict to the journal, then gives it to all who asked the same.
static bool settle(Grader *g, Graded *q, Text line, bool verdict)
{
    q->understood = verdict;
    if (!q->greeting) {
        TRY(verdict
                ? verdicts_add(&g->verdicts, q->key, "stop", line)
                : q->replayed || verdicts_add(&g->verdicts, q->key, VERDICT_FAILED, (Text){q->why, strlen(q->why)}));
        TRY(!verdict || heard_own(&g->heard, q->key, q->score, isnan(q->score) ? q->why : NULL));
        count(g, q, verdict);
    }
    for (Graded **at = &g->pending; *at != NULL;) {
        Graded *other = *at;
        if (memcmp(other->key, q->key, sizeof q->key) != 0) {
            at = &other->next;
            continue;
        }
        *at = other->next;
        other->score = q->score;
        memmove(other->why, q->why, sizeof q->why);
        append(&g->answered, other);
    }
    return verdict || q->greeting || hope(g, g->last_why); // nulls alone show at the end of a round
}

static bool take_other(Grader *g, Graded *q, Text text)
{
    Graded nobody = {0}, *whose = q == NULL ? &nobody : q;
    explain(whose, q == NULL ? "it printed something unasked" : "it printed something other than an answer", text);
    g->others += !whose->replayed;
    if (!g->has_answered)
        return fail("--grader %s: %s; %s", g->options.command, whose->why, HOW);
    return q == NULL ? hope(g, whose->why) : settle(g, q, text, false);
}

static bool take_frame(Grader *g, const GraderFrame *f, Text text)
{
    Graded *q = f->tag == GRADER_NOBODY ? NULL : (Graded *)(uintptr_t)f->tag;
    if (q != NULL)
        q->score = NAN;
    if (f->kind == GRADER_ANSWER)
        return settle(g, q, text, read_verdict(q, text));
    if (f->kind == GRADER_OTHER)
        return take_other(g, q, text);
    Graded nobody = {0}, *whose = q == NULL ? &nobody : q;
    show(whose->why, sizeof whose->why, text);
    return q != NULL
               ? settle(g, q, text, false)
               : fail("--grader %s: before it was asked anything, %s; it must read lines until there are no more%s",
                      g->options.command, whose->why, sandbox_hint(g));
}

static bool take_frames(Grader *g)
{
    GraderFrame f;
    if (!grader_fill(g->socket, &g->in))
        return fail("--grader: the process that has the graders as its children is gone; start again");
    while (g->in.size >= sizeof f) {
        memcpy(&f, g->in.data, sizeof f);
        if (g->in.size < sizeof f + f.size)
            break;
        TRY(take_frame(g, &f, (Text){g->in.data + sizeof f, f.size}));
        grader_drop(&g->in, sizeof f + f.size);
    }
    return true;
}

static bool end_round(Grader *g)
{
    bool lost = g->round_lost > 0;
    if (g->round_scores > 0)
        g->barren_rounds = 0;
    else if (lost)
        g->barren_rounds++;
    g->round_scores = g->round_lost = 0;
    return !lost || hope(g, g->last_why);
}

bool grader_work(Grader *g, double seconds)
{
    double until = clock_seconds() + seconds;
    while (g->pending != NULL) {
        phase_is("waiting for graders", -1);
        double left = fmin(until - clock_seconds(), 0.2);
        struct pollfd fd = {g->socket, (short)(POLLIN | (g->out.size > 0 ? POLLOUT : 0)), 0};
        poll(&fd, 1, left > 0 ? (int)(left * 1e3) + 1 : 0);
        grader_flush(g->socket, &g->out); // a failure of the other end shows when reading
        TRY(take_frames(g));
        if (left <= 0)
            break;
        TRY(g->pending == NULL || signal_checked(" while graders were at work"));
    }
    return seconds == 0 || g->pending != NULL || end_round(g);
}

int64_t grader_pending(const Grader *g)
{
    int64_t count = 0;
    for (const Graded *q = g->pending; q != NULL; q = q->next)
        count++;
    return count;
}

bool grader_next(Grader *g, uint64_t *tag, double *score, const char **why)
{
    free_all(g->handed_out);
    Graded *q = g->handed_out = g->answered;
    if (q == NULL)
        return false;
    g->answered = q->next;
    q->next = NULL;
    *tag = q->tag;
    *score = q->score;
    *why = isnan(q->score) ? q->why : NULL;
    return true;
}

bool grader_greet(Grader *g, Text question)
{
    Graded *q = allocate(1, sizeof *q);
    TRY(q != NULL);
    q->greeting = true;
    if (!write_key(g, q, question)) {
        free(q);
        return false;
    }
    append(&g->pending, q);
    TRY(send_question(g, q, question) && grader_work(g, INFINITY));
    bool ok = q->understood || fail("--grader %s: its first question has no answer; %s; %s%s", g->options.command,
                                    q->why, HOW, sandbox_hint(g));
    free_all(g->answered);
    g->answered = NULL;
    return ok;
}
