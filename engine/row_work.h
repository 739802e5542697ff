// Rows through a language model, as ./generate and ./score do it. The rows of files are asked in their order, many at
// once, of a model folder here or of a server; what comes of an answer goes into a journal at once; and when all of it
// is there, OUT appears. A run that was interrupted goes on where it stopped. What a row is asked, and what becomes of
// an answer, is the program's:
//
//     RowWork work = {.options = ..., .program = state, .ask = ask_row, .take = take_answer};
//     TRY(row_work_check(&work) && row_work_open(&work, &reading, &server));
//     TRY(journal_open(&work.journal, work.out.data, row_work_number(&work, work.facts.rows, 0), ...));
//     TRY(row_work_run(&work) && row_work_finish(&work));
//     row_work_close(&work);                                   // in any case
#ifndef ENGINE_ROW_WORK_H
#define ENGINE_ROW_WORK_H

#include "engine/session.h"
#include "engine/stops.h"
#include "rows/parts.h"
#include "rows/rows.h"
#include "server/endpoint.h"

// clang-format off
#define ASKED_ROWS(ROW, IN)                                                                                            \
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
    int64_t context, probes;         // SessionOptions'
    int64_t each;                    // results to a row
    bool past_end_tokens;            // responses go on after them
    bool counts_prompts;             // progress counts the tokens of prompts as well
    const char *questions, *results; // what people call them: "prompts", "responses"
} RowWorkOptions;

// A row that is on its way: asked, and not all of its answers back. Of a server, a row for each sample.
typedef struct Pending {
    struct Pending *next, **here; // in the list
    int64_t number;               // of the row
    int64_t sample;               // of a server; of a folder the first that is missing
    Bytes place;                  // "file:line", for errors
    int64_t left;                 // answers that are still to come
    // the program's
    Bytes row;        // as it came, without the fields that the program writes
    TokenList ids;    // of the prompt, to a folder's model
    int64_t votes[6]; // answers so far that say 1 to 5; [0]: that say nothing
    Bytes useless;    // the end of the first of those
} Pending;

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
    // Asks what is missing of a row, by row_work_ask_folder or _server. False after fail(): the row is refused.
    bool (*ask)(void *program, Pending *row, const Record *record);
    bool (*take)(void *program, Pending *row, const RowAnswer *answer); // writes what comes of it into the journal
    bool (*enough)(const void *program);                                // no use in going on; NULL: there always is

    bool remote; // a server is asked
    Bytes out;   // the file to write: --out, or a part's
    RowFacts facts;
    RowOptions reading;
    RowReader rows;
    Journal journal;
    Progress progress;
    Pending *pending;
    bool all_asked;
    Bytes text;
    // a folder's model
    Fit fit; // its memory
    Session session;
    Encoder *encoder; // NULL without a tokenizer
    StopTexts stops;
    // a server's; questions that ended without an answer are counted, and the same command asks again
    Endpoint *endpoint;
    int64_t unanswered, in_a_row; // in all; the last ones, without an answer between them
    Bytes why;                    // the first of them
    bool for_a_row;               // one of them for what its row asks
} RowWork;

// Sets remote and out. Refuses to go without a model, and options that are for the other kind of model: nothing would read them.
bool row_work_check(RowWork *work);
bool row_work_plan(RowWork *work); // --plan: the memory, and whether it fits, on stdout

// The rows, read as `reading` says but for --map and --format; then the folder, or the server with what is asked of it
// (endpoint_options). From there on a signal asks the program to stop.
bool row_work_open(RowWork *work, const RecordOptions *reading, const EndpointOptions *server);
bool row_work_open_folder(RowWork *work); // that alone

bool row_work_run(RowWork *work);    // until all are answered, enough says so, or a signal comes
bool row_work_finish(RowWork *work); // OUT appears; fails after a signal, and where answers are missing
void row_work_close(RowWork *work);

uint64_t row_work_number(const RowWork *work, int64_t row, int64_t sample); // of a result, in the journal

// For ask. request: how row->ids are answered, and which samples are asked for.
bool row_work_ask_folder(RowWork *work, Pending *row, const GenerationRequest *request);
bool row_work_ask_server(RowWork *work, Pending *row, const Message *messages, size_t count, int64_t seed);

#endif
