// The page at /: a chat with the served model in a browser, through the API like any other client. It is one document
// without outside resources, whose policy lets it do nothing but ask this server; texts of models are shown as text,
// never as markup (html/page.js).
#ifndef SERVING_PAGE_H
#define SERVING_PAGE_H

#include "base/base.h"

enum { PAGE_NONCE = 33 };

// Of one answer: what its scripts and styles are known by. False after fail().
bool chat_page_nonce(char nonce[PAGE_NONCE]);

bool chat_page_policy(Bytes *out, const char *nonce); // the value of Content-Security-Policy

// needs_key: it has a field for the API key, which it keeps for as long as it is open.
bool chat_page_write(Bytes *out, const char *nonce, bool needs_key);

#endif
