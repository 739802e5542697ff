// The page's own style and script: figures/page.css and page.js.
#include "figures/page_internal.h"
#include "html/html.h"

HTML_EMBEDDED(PAGE_STYLE, "figures/page.css")
HTML_EMBEDDED(PAGE_SCRIPT, "figures/page.js")
