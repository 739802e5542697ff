// See page.h. Its own style and script are page.css and page.js.
#include "serving/page.h"
#include "html/html.h"
#include <sys/random.h>

extern const char SERVING_STYLE[], SERVING_SCRIPT[];
HTML_EMBEDDED(SERVING_STYLE, "serving/page.css")
HTML_EMBEDDED(SERVING_SCRIPT, "serving/page.js")

static const char HEAD[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n"
    "<title>dereason.c</title>\n";

static const char BODY[] =
    "</head><body>\n<header><h1 id=\"model\">dereason.c</h1>"
    "<span><button id=\"new\">New</button> <button id=\"undo\">Take back</button></span></header>\n"
    "<noscript><p>This page needs JavaScript; ./generate --chat does not.</p></noscript>\n"
    "<details id=\"settings\"><summary>Settings</summary><div class=\"settings\">"
    "<label id=\"keyed\" hidden>API key <input id=\"key\" type=\"password\" autocomplete=\"off\"></label>"
    "<label class=\"system\">System message <textarea id=\"system\" rows=\"2\"></textarea></label>"
    "<label>Temperature <input id=\"temperature\" type=\"number\" min=\"0\" max=\"2\" step=\"0.1\" value=\"1\"></label>"
    "<label>Most tokens <input id=\"most\" type=\"number\" min=\"1\" step=\"1\" placeholder=\"all that fit\"></label>"
    "<label>Seed <input id=\"seed\" type=\"number\" min=\"0\" step=\"1\" "
    "placeholder=\"drawn\"></label></div></details>\n"
    "<div id=\"said\" role=\"log\" aria-live=\"polite\"></div>\n"
    "<footer><textarea id=\"question\" rows=\"3\" aria-label=\"message\" placeholder=\"Enter sends, Shift+Enter begins "
    "a "
    "new line\"></textarea>\n<div class=\"filters\"><button id=\"send\">Send</button>"
    "<button id=\"stop\" disabled>Stop</button>"
    "<label><input id=\"tokens\" type=\"checkbox\"> tokens by their probability</label>"
    "<span id=\"status\" role=\"status\"></span></div></footer>\n";

bool chat_page_nonce(char nonce[PAGE_NONCE])
{
    uint64_t drawn[2];
    if (getrandom(drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn)
        return fail_errno("a random name for the page's scripts");
    snprintf(nonce, PAGE_NONCE, "%016" PRIx64 "%016" PRIx64, drawn[0], drawn[1]);
    return true;
}

bool chat_page_policy(Bytes *out, const char *nonce)
{
    return bytes_printf(out,
                        "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; img-src data:; connect-src "
                        "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                        nonce, nonce);
}

static bool put_meta(Bytes *out, bool needs_key)
{
    Bytes hidden = {0};
    json_t *meta = html_hidden(&hidden) ? json_pack("{sssb}", "hidden", hidden.data, "needs_key", needs_key) : NULL;
    bool ok = (meta != NULL || fail("no memory for a page")) &&
              bytes_text(out, "<script type=\"application/json\" id=\"meta\">") && html_json(out, meta) &&
              bytes_text(out, "</script>\n");
    json_decref(meta);
    bytes_free(&hidden);
    return ok;
}

bool chat_page_write(Bytes *out, const char *nonce, bool needs_key)
{
    return bytes_text(out, HEAD) && bytes_printf(out, "<style nonce=\"%s\">\n", nonce) && bytes_text(out, HTML_STYLE) &&
           bytes_text(out, SERVING_STYLE) && bytes_text(out, "</style>\n") && bytes_text(out, BODY) &&
           put_meta(out, needs_key) && bytes_printf(out, "<script nonce=\"%s\">\n", nonce) &&
           bytes_text(out, HTML_SCRIPT) && bytes_text(out, SERVING_SCRIPT) &&
           bytes_text(out, "</script></body></html>\n");
}
