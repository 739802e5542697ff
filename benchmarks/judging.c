// See judging.h.
#include "benchmarks/judging.h"
#include "system/files.h"
#include <stdlib.h>

bool judging_check(const JudgingOptions *o)
{
    const char *given = o->judge_endpoint[0] != 0 ? "endpoint"
                        : o->judge_prompt[0] != 0 ? "prompt"
                        : o->judge_yes[0] != 0    ? "yes"
                        : o->judge_no[0] != 0     ? "no"
                                                  : NULL;
    return o->judge_model[0] != 0 || given == NULL ||
           fail_as(ERROR_USAGE, "--judge-%s: is for a judge; give --judge-model, or drop it", given);
}

static void tell_of_waiting(const char *url, const char *trouble)
{
    fprintf(stderr, "waiting for the judge at %s%s%s\n", url, trouble[0] == 0 ? "" : ": ", trouble);
}

bool judging_open(Judge **judge, const JudgingOptions *o, const MachineOptions *machine, const char *folder)
{
    *judge = NULL;
    if (o->judge_model[0] == 0)
        return true;
    char *journal = path_join(folder, "judge.jsonl");
    TRY(journal != NULL);
    *judge = judge_open(&(JudgeOptions){.model = o->judge_model,
                                        .url = o->judge_endpoint,
                                        .device = machine->device.name,
                                        .threads = machine->threads,
                                        .max_tokens = o->judge_tokens,
                                        .patience = o->judge_patience,
                                        .prompt = o->judge_prompt,
                                        .yes = o->judge_yes,
                                        .no = o->judge_no,
                                        .journal = journal});
    free(journal);
    return *judge != NULL && judge_greet(*judge, tell_of_waiting);
}
