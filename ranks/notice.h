// Notices over a connection, for ranks/watch.h: short, never waited for. One that does not fit into what the connection
// takes now is finished later; a heartbeat that comes before that is left out.
#ifndef RANKS_NOTICE_H
#define RANKS_NOTICE_H

#include "base/base.h"

enum { NOTICE_TEXT = 1024, PHASE_TEXT = 64 };

typedef enum NoticeKind { NOTICE_BEAT, NOTICE_FAILED, NOTICE_VERDICT, NOTICE_GOODBYE } NoticeKind;

typedef struct Notice {
    uint32_t kind;
    int32_t rank;      // that it is about
    int32_t status;    // with which it ends; of a heartbeat: EXIT_STOPPED where a rank has stopped after a signal
    int32_t waits_for; // the rank that its main thread waits for; -1: none
    int32_t elsewhere; // of a failure: it blames another rank, which says why; of a verdict: it was found, not said
    uint32_t text;     // bytes that follow
    int64_t number;    // of the phase; below 0: none
    uint64_t progress;
    char phase[PHASE_TEXT];
} Notice;

typedef struct NoticeSocket {
    int socket; // not blocking; -1: closed
    size_t received, size, sent;
    char in[sizeof(Notice) + NOTICE_TEXT], out[sizeof(Notice) + NOTICE_TEXT];
} NoticeSocket;

// text: "" for none; what is longer than NOTICE_TEXT - 1 is cut. False: an earlier one is not sent yet.
bool notice_send(NoticeSocket *s, Notice notice, const char *text);
void notice_flush(NoticeSocket *s); // as much as goes

typedef enum NoticeNews { NOTICED_NOTHING, NOTICED_ONE, NOTICED_END } NoticeNews;
NoticeNews notice_receive(NoticeSocket *s, Notice *notice, char text[NOTICE_TEXT]);

#endif
