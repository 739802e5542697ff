// Rows through a language model, as ./generate and ./score do it. The rows of files are asked in their order, many at
// once, of a model folder here or of a server; what comes of an answer goes into a journal at once; and when all of it
// is there, OUT appears. A run that was interrupted goes on where it stopped. What a row is asked, and what becomes of
// an answer, is the program's:
//
//     RowWork work = {.options = ..., .program = state, .ask = ask_row, .take = take_answer};
//     TRY(row_work_check(&work) && row_work_open_rows(&work, &reading));
//     TRY(row_work_open_folder(&work, 0));                      // or row_work_open_server
//     TRY(row_work_open_journal(&work, identity, NULL));
//     TRY(row_work_run(&work) && row_work_finish(&work));
//     row_work_close(&work);                                    // in any case
#ifndef ENGINE_ROW_WORK_H
#define ENGINE_ROW_WORK_H

#include "engine/session.h"
#include "engine/stops.h"
#include "rows/parts.h"
#include "rows/pending.h"
#include "rows/rows.h"
#include "rows/unanswered.h"

// clang-format off
#define ASKED_ROWS(ROW, IN)                                                                                                      \
    ROW(IN, model,     text,   "",     "",                       model, NEUTRAL,  "Hugging Face folder; with --endpoint its name there") \
    ROW(IN, tokenizer, folder, "",     "",                       model, NEUTRAL,  "folder of the tokenizer, if not the model's") \
    ROW(IN, template,  choice, "auto", "auto|" TEMPLATE_CHOICES, model, IDENTITY, "chat template")
// clang-format on
OPTION_GROUP(AskedOptions, ASKED_ROWS)

typedef struct RowWorkOptions {
    const Options *given; // of the program; and the groups in it:
    const AskedOptions *asked;
    const ServerOptions *server;
    const SessionSizes *sizes;
    const MachineOptions *machine;
    const RowReadingOptions *reading;
    const PartOptions *part;
    const OptionList *files;
    int64_t context;                 // SessionOptions'
    int64_t each;                    // results to a row
    bool past_end_tokens;            // responses go on after them
    bool counts_prompts;             // progress counts the tokens of prompts as well
    const char *questions, *results; // what people call them: "prompts", "responses"
} RowWorkOptions;

typedef struct RowAnswer {
    int64_t sample;
    Text text;                         // what was said, without what ended it; data NULL without a tokenizer
    Text thought;                      // before it, where a server has taken that apart; size 0: it has not
    const char *finish_reason;         // "stop", "length", or what else a server gave
    const GenerationResult *generated; // tokens, log-probabilities, probes; NULL: a server's
    const TopToken *top;               // (top_count) a server's candidates for the first token
    size_t top_count;
} RowAnswer;

typedef struct RowWork {
    RowWorkOptions options;
    void *program; // of these
    // Asks what is missing of a row, by the functions below; and writes what comes of an answer into the journal:
    // row->left are still to come. False after fail(). Of ask: the row is refused.
    bool (*ask)(void *program, const Record *record);
    bool (*take)(void *program, Pending *row, const RowAnswer *answer);
    bool (*enough)(const void *program); // there is no use in going on; NULL: there always is

    bool remote; // a server is asked
    Bytes out;   // the file to write: --out, or a part's
    RowFacts facts;
    RowOptions reading;
    RowReader rows;
    Journal journal;
    Progress progress;
    Pending *pending; // rows whose answers are on their way
    bool all_asked;
    Bytes text;
    // a folder's model
    Fit fit; // its memory
    Session session;
    Encoder *encoder; // NULL without a tokenizer
    StopTexts stops;
    // a server's
    Endpoint *endpoint;
    Unanswered unanswered;
} RowWork;

// Sets remote. Refuses to go without a model, and options that are for the other kind of model: nothing would read
// them.
bool row_work_check(RowWork *work);
bool row_work_plan(RowWork *work, int64_t probes); // --plan: the memory, and whether it fits, on stdout

bool row_work_open_rows(RowWork *work, const RecordOptions *reading); // how they are read, but for --map and --format
bool row_work_open_folder(RowWork *work, int64_t probes);             // probes: SessionOptions'
bool row_work_open_server(RowWork *work, const EndpointOptions *options); // of endpoint_options
bool row_work_open_journal(RowWork *work, const json_t *identity,
                           const char *answers); // identity: what results depend on

// For take: a result's number in the journal.
uint64_t row_work_number(const RowWork *work, int64_t row, int64_t sample);

// For signals_install, before row_work_open_rows.
#define ROW_WORK_STOPS "stopping; what is finished is kept, and the same command goes on (again: at once)\n"

bool row_work_run(
    RowWork *work); // until all are answered, enough says so, or a signal comes: then work is to be finished
bool row_work_finish(RowWork *work); // OUT appears; fails after a signal, and where answers are missing
void row_work_close(RowWork *work);

// For ask. The row that came last, on its way; NULL after fail(). Who begins it frees it (pending_free), unless it was
// asked.
Pending *row_work_pending(RowWork *work, const Record *record);
bool row_work_lacks(const RowWork *work, int64_t sample); // the journal has no such result of the row that came last
// Asks for request->samples, of row->ids: request says how they are drawn.
bool row_work_ask_folder(RowWork *work, Pending *row, const GenerationRequest *request);
bool row_work_ask_server(RowWork *work, Pending *row, const Message *messages, size_t count, int64_t seed);

#endif
