// The options of serve, one row each: see train_sft_options.h. None decides an answer's bits but --template and
// --context.
#ifndef SERVE_OPTIONS_H
#define SERVE_OPTIONS_H

#include "serving/connections.h"

#define SERVE_USAGE                                                                                                    \
    "serve: a model behind OpenAI's HTTP API: chat and text completions\n"                                             \
    "usage: serve --model Qwen3-4B\n"                                                                                  \
    "       serve --model Qwen3-4B --host 0.0.0.0 --port 9000 --api-key key.txt\n"                                     \
    "Listens on this machine alone unless --host says otherwise. SIGTERM (or Ctrl-C)\n"                                \
    "ends it: new requests are refused, running ones end. --config FILE reads lines of\n"                              \
    "name = value, --help=GROUP shows ranges. Exit: 0 ended so, 1 failed, 2 usage.\n"

// clang-format off
//  ROW(name, type, default, range, group, IDENTITY or NEUTRAL, help)
#define SERVE_OPTIONS(ROW, GROUP) \
    ROW(model,     text,    "",     "",                       model, NEUTRAL,  "Hugging Face folder, or OUT of a training program") \
    ROW(tokenizer, folder,  "",     "",                       model, NEUTRAL,  "folder of the tokenizer, if not the model's") \
    ROW(template,  choice,  "auto", "auto|" TEMPLATE_CHOICES, model, IDENTITY, "chat template") \
    GROUP(ListenOptions, listen, LISTEN_ROWS) \
    GROUP(ServiceOptions, service, SERVICE_ROWS) \
    GROUP(MachineOptions, machine, MACHINE_ROWS) \
    ROW(context,   integer, "0",    ">= 0",                   machine, IDENTITY, "longest prompt and answer, in tokens; 0: the model's, at most 32768") \
    GROUP(SessionSizes, sizes, SESSION_ROWS)
// clang-format on

OPTIONS_DEFINE(ServeOptions, serve_options, SERVE_OPTIONS)

#endif
