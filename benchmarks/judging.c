// See judging.h.
#include "benchmarks/judging.h"
#include "system/files.h"
#include <stdlib.h>

typedef enum JudgingForm { FORM_SIMPLE_EVALS, FORM_GENERAL_VERIFIER } JudgingForm;

// clang-format off
__asm__(".section .rodata\n"
        "equality:\n"
        ".incbin \"benchmarks/equality.txt\"\n"
        ".byte 0\n"
        ".previous\n");
// clang-format on
extern const char EQUALITY[] __asm__("equality");

const JudgingQuestion *judging_protocol(void)
{
    static const JudgingQuestion protocol = {EQUALITY, "\\A\\s*yes\\s*\\z", "^"};
    return &protocol;
}

bool judging_check(const JudgingOptions *o, const Options *options)
{
    const char *given = o->judge_endpoint[0] != 0                           ? "endpoint"
                        : o->judge_form.place != 0                          ? "form"
                        : o->judge_prompt[0] != 0                           ? "prompt"
                        : o->judge_yes[0] != 0                              ? "yes"
                        : o->judge_no[0] != 0                               ? "no"
                        : option_on_command_line(options, "judge_tokens")   ? "tokens"
                        : option_on_command_line(options, "judge_patience") ? "patience"
                                                                            : NULL;
    if (o->judge_model[0] == 0)
        return given == NULL ||
               fail_as(ERROR_USAGE, "--judge-%s: is for a judge; give --judge-model, or drop it", given);
    return o->judge_endpoint[0] != 0 || !option_on_command_line(options, "judge_patience") ||
           fail_as(ERROR_USAGE, "--judge-patience: is for a server; give --judge-endpoint, or drop it");
}

const char *judging_form(const JudgingOptions *o)
{
    return o->judge_prompt[0] != 0 ? o->judge_prompt : o->judge_form.name;
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
    JudgingQuestion asked = {0};
    if (o->judge_form.place == FORM_SIMPLE_EVALS)
        asked = *judging_protocol();
    if (o->judge_yes[0] != 0 || o->judge_no[0] != 0 || asked.text == NULL) {
        asked.yes = o->judge_yes;
        asked.no = o->judge_no;
    }
    *judge = judge_open(&(JudgeOptions){.model = o->judge_model,
                                        .url = o->judge_endpoint,
                                        .device = machine->device.name,
                                        .threads = machine->threads,
                                        .max_tokens = o->judge_tokens,
                                        .patience = o->judge_patience,
                                        .question = asked.text,
                                        .prompt = o->judge_prompt,
                                        .yes = asked.yes,
                                        .no = asked.no,
                                        .journal = journal,
                                        .url_option = "--judge-endpoint",
                                        .waiting = tell_of_waiting});
    free(journal);
    return *judge != NULL;
}
