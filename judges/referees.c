// Opening judge and grader by their options: see referees.h.
#include "judges/referees.h"
#include "ranks/gather.h"
#include "system/files.h"
#include <stdlib.h>

JudgeOptions referees_judge(const RefereeOptions *o, const MachineOptions *machine, const char *journal)
{
    return (JudgeOptions){.model = o->judge_model,
                          .url = o->endpoint,
                          .device = machine->device.name,
                          .threads = machine->threads,
                          .max_tokens = o->judge_tokens,
                          .patience = o->judge_patience,
                          .prompt = o->judge_prompt,
                          .yes = o->judge_yes,
                          .no = o->judge_no,
                          .journal = journal};
}

// ---- options of a judge or grader that is not there: refused, since the user expects one

// A file of all options (--print-config) also has those without effect.
static const char *given_for_judge(const RefereeOptions *o, const Options *given)
{
    return o->endpoint[0] != 0                               ? "--endpoint"
           : o->judge_prompt[0] != 0                         ? "--judge-prompt"
           : o->judge_yes[0] != 0                            ? "--judge-yes"
           : o->judge_no[0] != 0                             ? "--judge-no"
           : option_on_command_line(given, "judge_asks")     ? "--judge-asks"
           : option_on_command_line(given, "judge_tokens")   ? "--judge-tokens"
           : option_on_command_line(given, "judge_patience") ? "--judge-patience"
                                                             : NULL;
}

static const char *given_for_grader(const Options *given)
{
    return option_on_command_line(given, "grader_processes")       ? "--grader-processes"
           : option_on_command_line(given, "grader_seconds")       ? "--grader-seconds"
           : option_on_command_line(given, "grader_start_seconds") ? "--grader-start-seconds"
           : option_on_command_line(given, "grader_sandbox")       ? "--grader-sandbox"
                                                                   : NULL;
}

static bool check(const RefereeOptions *o, const Options *given, bool judge, bool grader)
{
    const char *for_judge = judge ? NULL : given_for_judge(o, given),
               *for_grader = grader ? NULL : given_for_grader(given);
    if (for_judge != NULL)
        return fail_as(ERROR_USAGE, "%s: give --judge-model, a folder or the judge's name at --endpoint", for_judge);
    if (for_grader != NULL)
        return fail_as(ERROR_USAGE, "%s: give --grader, a command", for_grader);
    if (!judge && option_on_command_line(given, "judge_model"))
        return fail_as(ERROR_USAGE, "--judge-model is empty: name one, or drop the option");
    return grader || !option_on_command_line(given, "grader") ||
           fail_as(ERROR_USAGE, "--grader is empty: name one, or drop the option");
}

// ---- opening

// OUT/NAME.jsonl, or OUT/NAME-RANK.jsonl
static char *journal_path(const char *out, const char *name, int rank)
{
    char file[64];
    snprintf(file, sizeof file, rank == 0 ? "%s.jsonl" : "%s-%d.jsonl", name, rank);
    return path_join(out, file);
}

static bool open_grader(Referees *r, const RefereeOptions *o, const char *out, const Communicator *ranks)
{
    GraderOptions options = {.command = o->grader,
                             .processes = o->grader_processes,
                             .seconds = o->grader_seconds,
                             .start_seconds = o->grader_start_seconds,
                             .sandbox = o->grader_sandbox.name,
                             .others = "grader",
                             .telling = ranks->size > 1};
    char *journal = journal_path(out, "grader", ranks->rank);
    options.journal = journal;
    r->grader = journal == NULL ? NULL : grader_open(&options);
    free(journal);
    return r->grader != NULL;
}

static void tell_of_waiting(const char *url, const char *trouble)
{
    printf("waiting for the judge at %s%s%s\n", url, trouble[0] != 0 ? ": " : "", trouble);
    fflush(stdout);
}

static void tell_of_ends(const Judge *judge)
{
    const char *url = judge_without_ends(judge);
    if (url != NULL)
        printf("the judge at %s gives no finish_reason: replies that are cut off count as complete; give it "
               "more --judge-tokens than it needs, or use a server that gives one\n",
               url);
    fflush(stdout);
}

static bool open_judge(Referees *r, const RefereeOptions *o, const MachineOptions *machine, const char *out,
                       const Communicator *ranks)
{
    char *journal = journal_path(out, "judge", ranks->rank);
    JudgeOptions options = referees_judge(o, machine, journal);
    options.others = "judge";
    options.telling = ranks->size > 1;
    r->judge = journal == NULL ? NULL : judge_open(&options);
    free(journal);
    TRY(r->judge != NULL && judge_greet(r->judge, ranks->rank == 0 ? tell_of_waiting : NULL));
    if (ranks->rank == 0)
        tell_of_ends(r->judge);
    return true;
}

bool referees_open(Referees *r, const RefereeOptions *o, const Options *given, const MachineOptions *machine,
                   const char *out, const Communicator *ranks)
{
    bool grader = o->grader[0] != 0, judge = o->judge_model[0] != 0;
    *r = (Referees){.asks = (JudgeAsks)o->judge_asks.place};
    TRY(check(o, given, judge, grader));
    if (machine->plan || (!grader && !judge))
        return true;
    return folder_make(out) && (!grader || open_grader(r, o, out, ranks)) &&
           (!judge || open_judge(r, o, machine, out, ranks));
}

void referees_close(Referees *r)
{
    judge_close(r->judge);
    grader_close(r->grader);
    *r = (Referees){0};
}

// ---- verdicts

bool referees_work(const Referees *r, double seconds)
{
    return (r->judge == NULL || judge_work(r->judge, seconds)) &&
           (r->grader == NULL || grader_work(r->grader, seconds));
}

bool referees_next(const Referees *r, RefereeVerdict *v)
{
    v->by_judge = r->judge != NULL && judge_next(r->judge, &v->tag, &v->score, &v->why);
    return v->by_judge || (r->grader != NULL && grader_next(r->grader, &v->tag, &v->score, &v->why));
}

int64_t referees_pending(const Referees *r)
{
    return (r->judge == NULL ? 0 : judge_pending(r->judge)) + (r->grader == NULL ? 0 : grader_pending(r->grader));
}

bool referees_tell(const Referees *r, Bytes *out)
{
    Bytes judge = {0}, grader = {0};
    bool ok =
        (r->judge == NULL || judge_tell(r->judge, &judge)) && (r->grader == NULL || grader_tell(r->grader, &grader));
    ok = ok && bytes_append(out, &judge.size, sizeof judge.size) && bytes_append(out, judge.data, judge.size) &&
         bytes_append(out, grader.data, grader.size);
    bytes_free(&judge);
    bytes_free(&grader);
    return ok;
}

bool referees_hear(const Referees *r, Text told) // the judge's, after their size, and the grader's
{
    size_t size;
    Text judge;
    TRY(gathered_take(&told, &size, sizeof size) && gathered_part(&told, &judge, size));
    return (r->judge == NULL || judge_hear(r->judge, judge)) && (r->grader == NULL || grader_hear(r->grader, told));
}

void referees_announce(const Referees *r, const RefereeOptions *o, RunLog *log)
{
    uint64_t zeros = (r->judge != NULL ? judge_zeros(r->judge) : 0) + (r->grader != NULL ? grader_zeros(r->grader) : 0);
    if (zeros > 0)
        log_note(log,
                 "%" PRIu64 " zeros, left by a power cut, were cut off the replies of judges and graders; the missing "
                 "ones are asked again",
                 zeros);
    if (r->grader != NULL)
        log_note(log, "graders: %" PRId64 " processes, sandbox: %s", o->grader_processes, grader_sandbox(r->grader));
}
