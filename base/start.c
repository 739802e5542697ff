// What a program does before anything else. Whoever started it may have closed its standard descriptors; the next file that is opened
// would then be number 1 or 2, and progress would be written into it.
#include "base/start.h"
#include "base/file_inside.h"
#include <fcntl.h>
#include <unistd.h>

// Opened the wrong way round: reading a standard input and writing to a standard output that are not there stay errors.
static void open_standard_descriptors(void)
{
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++)
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY) != number &&
            open("/", O_RDONLY | O_DIRECTORY) != number)
            _exit(1); // and nowhere to say why
}

void program_start(void)
{
    open_standard_descriptors();
    mappings_watch();
}
