// One notice in each direction at a time, in buffers of their largest size: see notice.h.
#include "ranks/notice.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void notice_flush(NoticeSocket *l)
{
    while (l->socket >= 0 && l->sent < l->size) {
        ssize_t n = send(l->socket, l->out + l->sent, l->size - l->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; // that it is closed is found out by reading
        l->sent += (size_t)n;
    }
}

bool notice_send(NoticeSocket *l, Notice notice, const char *text)
{
    notice_flush(l);
    if (l->socket >= 0 && l->sent < l->size)
        return false;
    notice.text = (uint32_t)strnlen(text, NOTICE_TEXT - 1);
    memcpy(l->out, &notice, sizeof notice);
    memcpy(l->out + sizeof notice, text, notice.text);
    l->size = sizeof notice + notice.text;
    l->sent = 0;
    notice_flush(l);
    return true;
}

static size_t wanted(const NoticeSocket *l)
{
    Notice notice;
    if (l->received < sizeof notice)
        return sizeof notice;
    memcpy(&notice, l->in, sizeof notice);
    return sizeof notice + smaller(notice.text, NOTICE_TEXT - 1);
}

NoticeNews notice_receive(NoticeSocket *l, Notice *notice, char text[NOTICE_TEXT])
{
    if (l->socket < 0)
        return NOTICED_NOTHING;
    while (l->received < wanted(l)) {
        ssize_t n = recv(l->socket, l->in + l->received, wanted(l) - l->received, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return NOTICED_NOTHING;
        if (n <= 0)
            return NOTICED_END;
        l->received += (size_t)n;
    }
    memcpy(notice, l->in, sizeof *notice);
    memcpy(text, l->in + sizeof *notice, l->received - sizeof *notice);
    text[l->received - sizeof *notice] = 0;
    notice->phase[PHASE_TEXT - 1] = 0;
    l->received = 0;
    return NOTICED_ONE;
}
