// A model behind OpenAI's HTTP API: requests of many clients, continuously batched through the generation engine. What
// a request gets does not depend on its company; with a seed it is what ./generate answers to the same prompt, to the
// bit. This file is C, in spite of its ending: it compiles with or without nvcc.
//
// The rest is elsewhere: serving/ (the API, connections, the loop), session/ (the model), engine/ (generation).
#include "options/program.h"
#include "serve_options.h"
#include "system/signals.h"
#include <string.h>

typedef struct Serve {
    ServeOptions o;
    Options options;
    Fit fit; // its memory
    Session session;
    Service service;
    Connections *connections;
} Serve;

static SessionOptions session_options(const Serve *s)
{
    const ServeOptions *o = &s->o;
    return (SessionOptions){.model = o->model,
                            .tokenizer = o->tokenizer,
                            .template = o->template.name,
                            .device = o->machine.device.name,
                            .threads = o->machine.threads,
                            .context = o->context,
                            .sequences = o->sizes.sequences,
                            .pass_tokens = o->sizes.pass_tokens,
                            .cache = o->sizes.cache,
                            .scores = SERVICE_SCORES,
                            .fit = &s->fit};
}

static bool choose_memory(Serve *s, const SessionOptions *options)
{
    Needs needs = {.has_context = true};
    return fit_open(&s->fit, &s->o.machine) && session_needs(&needs.own, s->fit.kernels, options) &&
           fit_choose(&s->fit, &needs);
}

static bool open_model(Serve *s, const SessionOptions *options)
{
    const char *name = s->o.listen.name[0] != 0 ? s->o.listen.name : s->o.model;
    TRY(session_open(&s->session, options));
    if (s->session.files.tokenizer == NULL)
        return fail("%s: has no tokenizer, so there are no texts; name one with --tokenizer",
                    s->session.files.folder.data);
    return service_open(&s->service, &s->session, &s->o.service, name);
}

// On stdout, when requests are taken: what started this program may be waiting for it.
static bool announce(const Serve *s)
{
    Bytes about = {0};
    bool v6 = strchr(s->o.listen.host, ':') != NULL;
    session_describe(&s->session, &about);
    fprintf(stderr, "%s\n", about.data);
    bytes_free(&about);
    if (!connections_have_key(s->connections) && strcmp(s->o.listen.host, "127.0.0.1") != 0 &&
        strcmp(s->o.listen.host, "::1") != 0)
        fprintf(stderr, "whoever reaches this address may ask; --api-key FILE keeps others out\n");
    printf("serving %s at http://%s%s%s:%d/v1\n", s->service.model, v6 ? "[" : "", s->o.listen.host, v6 ? "]" : "",
           connections_port(s->connections));
    return fflush(stdout) == 0 || fail_errno("writing to stdout");
}

static bool run(void *state)
{
    Serve *s = state;
    SessionOptions options = session_options(s);
    if (s->o.model[0] == 0)
        return fail_as(ERROR_USAGE, "give --model, a Hugging Face folder");
    TRY(choose_memory(s, &options));
    if (s->o.machine.plan)
        return fit_print(&s->fit, stdout);
    TRY(signals_install("ending: running requests are answered, new ones refused (again: at once)\n"));
    TRY(open_model(s, &options) && (s->connections = connections_open(&s->service, &s->o.listen)) != NULL &&
        announce(s));
    return service_run(&s->service);
}

static void close_all(void *state)
{
    Serve *s = state;
    connections_close(s->connections);
    service_close(&s->service);
    session_close(&s->session);
    fit_close(&s->fit);
}

static const Program SERVE = {"serve", SERVE_USAGE, serve_options, run, NULL, close_all};

int main(int count, char **words)
{
    Serve s = {0};
    return program_main(&SERVE, &s, &s.options, &s.o, count, words);
}
