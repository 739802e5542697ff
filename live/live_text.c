// The script of a live page: live/live.js.
#include "html/html.h"
#include "live/live_internal.h"

HTML_EMBEDDED(LIVE_SCRIPT, "live/live.js")
