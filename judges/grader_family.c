// The processes of a grader: its process group, and all descendants in any group, as /proc lists them. Orphans become
// children of the pool (PR_SET_CHILD_SUBREAPER), so that it can end all of them.
#include "judges/grader_pool.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { END_MS = 2000 }; // time after which a process that not even SIGKILL ends is left alone

typedef struct Process {
    pid_t pid, parent;
} Process;

static bool read_process(Process *process, const char *name)
{
    char path[64], text[512];
    *process = (Process){.pid = (pid_t)atol(name)};
    if (process->pid <= 0 || snprintf(path, sizeof path, "/proc/%d/stat", (int)process->pid) <= 0)
        return false;
    FILE *file = fopen(path, "re");
    size_t size = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    if (file != NULL)
        fclose(file);
    text[size] = 0;
    const char *behind = strrchr(text, ')'); // after its name, which may hold anything: "7 (name) S 1 ..."
    long parent;
    if (behind == NULL || sscanf(behind + 1, " %*c %ld", &parent) != 1)
        return false;
    process->parent = (pid_t)parent;
    return true;
}

static int by_pid(const void *a, const void *b)
{
    const Process *p = a, *q = b;
    return (p->pid > q->pid) - (p->pid < q->pid);
}

static size_t list_processes(Process **list) // by their numbers
{
    size_t count = 0, room = 0;
    DIR *folder = opendir("/proc");
    *list = NULL;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        Process process;
        if (!read_process(&process, entry->d_name))
            continue;
        if (count == room) {
            room = room == 0 ? 256 : 2 * room;
            Process *more = realloc(*list, room * sizeof **list);
            if (more == NULL)
                break;
            *list = more;
        }
        (*list)[count++] = process;
    }
    if (folder != NULL)
        closedir(folder);
    if (count > 0)
        qsort(*list, count, sizeof **list, by_pid);
    return count;
}

static void kill_descendants(pid_t of)
{
    Process *list;
    size_t count = list_processes(&list);
    for (size_t i = 0; i < count; i++) {
        const Process *p = &list[i];
        for (size_t generations = 0; p != NULL && p->parent != of && generations < count; generations++)
            p = bsearch(&(Process){.pid = p->parent}, list, count, sizeof *list, by_pid);
        if (p != NULL && p->parent == of)
            kill(list[i].pid, SIGKILL);
    }
    free(list);
}

// Of one that has ended, only its group is known: its descendants are orphans now.
void grader_family_kill(pid_t child)
{
    siginfo_t end = {0};
    if (waitid(P_PID, (id_t)child, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid == 0)
        kill_descendants(child); // first, while their parent is alive and they can be found
    kill(-child, SIGKILL);
    kill(child, SIGKILL);
}

void grader_family_end(void)
{
    for (int ms = 0; ms < END_MS; ms++) {
        pid_t ended;
        while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (ended < 0 && errno == ECHILD)
            return;
        kill_descendants(getpid());
        usleep(1000);
    }
}
