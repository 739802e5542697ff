// The page's own style and scripts.
#include "html/html.h"
#include "view/view_internal.h"

HTML_EMBEDDED(VIEW_STYLE, "view/view.css")
HTML_EMBEDDED(VIEW_SCRIPT, "view/view.js")
HTML_EMBEDDED(VIEW_EMBEDDED, "view/embedded.js")
