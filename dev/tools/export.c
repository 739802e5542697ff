// build/export CHECKPOINT FOLDER [--dtype bf16|fp32]: a checkpoint of a training run as a Hugging Face folder.
#include "pretrained/export.h"
#include "system/start.h"
#include <string.h>

int main(int count, char **arguments)
{
    program_start();
    const char *dtype = count == 5 ? arguments[4] : "bf16";
    bool known = strcmp(dtype, "bf16") == 0 || strcmp(dtype, "fp32") == 0;
    if ((count != 3 && count != 5) || (count == 5 && strcmp(arguments[3], "--dtype") != 0) || !known ||
        arguments[1][0] == '-') {
        fputs("usage: export OUT/checkpoints/step-N FOLDER [--dtype bf16|fp32]\n", stderr);
        return 2;
    }
    if (export_checkpoint(arguments[1], dtype, arguments[2]))
        return 0;
    fprintf(stderr, "export: %s\n", error_text());
    return 1;
}
