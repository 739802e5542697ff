// build/probe_judge --judge-model FOLDER --out OUT: does a judge fall for the patterns by which verifiers are known to
// be fooled (judges/probe.h)? It is asked as train_rl would ask it, with the same options, so that what is accepted
// here would earn a reward there.
#include "judges/probe.h"
#include "judges/referees.h"
#include "options/program.h"
#include "rl/reward.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_USAGE                                                                                                    \
    "probe_judge: how many wrong answers of thirteen known patterns a judge accepts\n"                                 \
    "usage: probe_judge --judge-model general-verifier --out probe [options]\n"                                        \
    "       probe_judge --judge-model NAME --endpoint http://host:8000/v1 --out probe\n"                               \
    "Give the judge's options as train_rl will have them; --judge-asks all asks about\n"                               \
    "every response. Exit: 0 none was accepted, 3 some were, 1 failed, 2 usage.\n"

// clang-format off
#define PROBE_OPTIONS(ROW, GROUP) \
    GROUP(RefereeOptions, referees, JUDGE_ROWS) \
    ROW(out,     folder,  "",     "required",         probe,   NEUTRAL, "folder where the judge's replies are kept") \
    ROW(device,  choice,  "auto", "auto|cpu|cuda",    machine, NEUTRAL, "where to compute") \
    ROW(threads, integer, "0",    ">= 0 and <= 4096", machine, NEUTRAL, "CPU threads; 0: all cores")
// clang-format on
OPTIONS_DEFINE(ProbeOptions, probe_options, PROBE_OPTIONS)

enum {
    EXIT_ACCEPTED = 3,
    RIGHT = PROBE_PATTERNS, // the reference itself, as a last pattern: what a judge is to accept
    MARKS = 2,              // as it is, and in a box
    TRIALS_MOST = (PROBE_PATTERNS + 1) * PROBE_RESPONSES_MOST * MARKS * PROBE_PROBLEMS
};

typedef struct Trial {
    int pattern, problem;
    Bytes response;
    bool asked;
    double score; // 1: accepted, by rule or the judge; NaN: no verdict
} Trial;

typedef struct Probe {
    ProbeOptions o;
    Options options;
    Referees referees;
    Trial trials[TRIALS_MOST];
    size_t count;
    char *why; // the first question without a verdict has none
    int64_t accepted;
} Probe;

static Text text(const char *s) { return (Text){s, strlen(s)}; }

// ---- asking

static bool ask(Probe *p, int pattern, int problem, int mark, const char *response)
{
    char out[ANSWER_BYTES];
    Finding finding;
    const ProbeProblem *of = &probe_problems[problem];
    uint64_t tag = p->count++;
    Trial *t = &p->trials[tag];
    *t = (Trial){.pattern = pattern, .problem = problem};
    TRY(bytes_printf(&t->response, mark == 0 ? "%s" : "\\boxed{%s}", response));
    RewardFacts facts = {.text = {t->response.data, t->response.size},
                         .reference = text(of->reference),
                         .row = text(of->row),
                         .ended = true};
    reward_finding(&finding, &facts);
    Text question = reward_question(&facts, &finding, p->referees.asks, out);
    t->asked = question.size > 0;
    t->score = t->asked ? NAN : finding.verdict == VERDICT_EQUAL;
    return !t->asked || judge_ask(p->referees.judge, tag, text(of->question), text(of->reference), question);
}

static bool ask_all(Probe *p)
{
    for (int problem = 0; problem < PROBE_PROBLEMS; problem++)
        for (int mark = 0; mark < MARKS; mark++) {
            for (int pattern = 0; pattern < PROBE_PATTERNS; pattern++)
                for (int i = 0; i < PROBE_RESPONSES_MOST && probe_patterns[pattern].responses[i] != NULL; i++)
                    TRY(ask(p, pattern, problem, mark, probe_patterns[pattern].responses[i]));
            TRY(ask(p, RIGHT, problem, mark, probe_problems[problem].reference));
        }
    return true;
}

static bool take_verdicts(Probe *p)
{
    uint64_t tag;
    double score;
    const char *why;
    TRY(judge_work(p->referees.judge, INFINITY));
    while (judge_next(p->referees.judge, &tag, &score, &why)) {
        p->trials[tag].score = score;
        if (isnan(score) && why != NULL && p->why == NULL)
            TRY((p->why = copy_text(why)) != NULL);
    }
    return true;
}

// ---- telling

typedef struct Line {
    int64_t responses, asked, accepted, undecided;
} Line;

static void count(Line *l, const Trial *t)
{
    l->responses++;
    l->asked += t->asked;
    l->accepted += t->score == 1;
    l->undecided += isnan(t->score);
}

static void print_line(const char *name, const Line *l)
{
    printf("%-40s %10" PRId64 " %10" PRId64 " %10" PRId64 " %10" PRId64 "\n", name, l->responses, l->asked, l->accepted,
           l->undecided);
}

static bool print_accepted(const Trial *t)
{
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s}", "pattern", probe_patterns[t->pattern].name, "by", t->asked ? "judge" : "rule",
                  "reference", probe_problems[t->problem].reference, "response", t->response);
    char *shown = line == NULL ? NULL : json_dumps(line, JSON_ENSURE_ASCII); // some responses are invisible
    json_decref(line);
    if (shown != NULL)
        puts(shown);
    bool ok = shown != NULL || fail("no memory for what was accepted");
    free(shown);
    return ok;
}

static bool tell(Probe *p)
{
    Line lines[PROBE_PATTERNS + 1] = {{0}}, all = {0};
    for (size_t i = 0; i < p->count; i++) {
        count(&lines[p->trials[i].pattern], &p->trials[i]);
        if (p->trials[i].pattern != RIGHT)
            count(&all, &p->trials[i]);
    }
    if (all.asked > 0 && all.undecided == all.asked)
        return fail("the judge has decided nothing (--judge-yes and --judge-no say what is read as a decision): %s",
                    p->why);
    printf("%-40s %10s %10s %10s %10s\n", "pattern", "responses", "asked", "accepted", "no verdict");
    for (int i = 0; i < PROBE_PATTERNS; i++)
        print_line(probe_patterns[i].name, &lines[i]);
    print_line("all", &all);
    print_line("the reference itself, which is right", &lines[RIGHT]);
    if (p->why != NULL)
        printf("no verdict: %s\n", p->why);
    for (size_t i = 0; i < p->count; i++)
        if (p->trials[i].pattern != RIGHT && p->trials[i].score == 1)
            TRY(print_accepted(&p->trials[i]));
    p->accepted = all.accepted;
    if (fflush(stdout) != 0)
        return fail_errno("writing to stdout");
    return all.accepted > 0 || all.undecided == 0 ||
           fail("of %d responses that it was asked about, the judge has decided nothing about %d, so that none was "
                "accepted shows little; ask again, with more --judge-patience or --judge-tokens",
                (int)all.asked, (int)all.undecided);
}

// ---- the program

static bool run(void *state)
{
    Probe *p = state;
    const Communicator alone = {.size = 1};
    const MachineOptions machine = {.device = p->o.device, .threads = p->o.threads, .gpu = ""};
    if (p->o.referees.judge_model[0] == 0)
        return fail_as(ERROR_USAGE, "--judge-model: name the judge, a folder or a model at --endpoint");
    p->o.referees.grader = ""; // not among the options
    return referees_open(&p->referees, &p->o.referees, &p->options, &machine, p->o.out, &alone) && ask_all(p) &&
           take_verdicts(p) && tell(p);
}

static void close_all(void *state)
{
    Probe *p = state;
    referees_close(&p->referees);
    for (size_t i = 0; i < p->count; i++)
        bytes_free(&p->trials[i].response);
    free(p->why);
}

static const Program PROBE = {"probe_judge", PROBE_USAGE, probe_options, run, NULL, close_all};

int main(int argument_count, char **words)
{
    static Probe p;
    int status = program_main(&PROBE, &p, &p.options, &p.o, argument_count, words);
    return status == 0 && p.accepted > 0 ? EXIT_ACCEPTED : status;
}
