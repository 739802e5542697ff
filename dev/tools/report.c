// build/report RUN [OUT.html]: one page of a training run (view/view.h).
#include "system/files.h"
#include "system/start.h"
#include "view/view.h"
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: report RUN [OUT.html]\n"
                           "\n"
                           "Writes a page of the run in folder RUN, finished or in progress: curves, times, verdicts,\n"
                           "evaluations, options, and every response. Default: RUN/report.html.\n";

int main(int argc, char **argv)
{
    program_start();
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if (argc < 2 || argc > 3 || argv[1][0] == '-') {
        fputs(help, stderr);
        return 2;
    }
    char *path = argc == 3 ? copy_text(argv[2]) : path_join(argv[1], "report.html");
    if (path != NULL && view_write(path, argv[1])) {
        printf("%s\n", path);
        free(path);
        return 0;
    }
    fprintf(stderr, "report: %s\n", error_text());
    return 1;
}
