// The tasks that are part of the program: the files of tasks/, each with a 0 byte behind it.
#include "tasks/task.h"

// clang-format off
#define TASKS(TASK)                                                                                                    \
    TASK(mmlu_pro) TASK(mmlu_pro_5shot) TASK(gpqa_diamond) TASK(gpqa_diamond_simple_evals)                             \
    TASK(supergpqa) TASK(supergpqa_zeroshot) TASK(supergpqa_fiveshot) TASK(bbeh) TASK(bbeh_official)                   \
    TASK(gsm8k) TASK(math500) TASK(aime24) TASK(aime25) TASK(amc23) TASK(minerva_math) TASK(olympiadbench)             \
    TASK(questions) TASK(multiple_choice)
// clang-format on

#define TASK_EMBEDDED(name)                                                                                            \
    __asm__(".section .rodata\n"                                                                                       \
            "task_" #name ":\n"                                                                                        \
            ".incbin \"tasks/" #name ".task\"\n"                                                                       \
            ".byte 0\n"                                                                                                \
            ".previous\n");                                                                                            \
    extern const char text_of_##name[] __asm__("task_" #name);
#define TASK_NAME(name) #name,
#define TASK_TEXT(name) text_of_##name,

TASKS(TASK_EMBEDDED)
const char *const TASK_NAMES[] = {TASKS(TASK_NAME) NULL};
const char *const TASK_TEXTS[] = {TASKS(TASK_TEXT) NULL};
