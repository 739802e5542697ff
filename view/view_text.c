// The page's own style and script: view/view.css and view.js.
#include "html/html.h"
#include "view/view_internal.h"

HTML_EMBEDDED(VIEW_STYLE, "view/view.css")
HTML_EMBEDDED(VIEW_SCRIPT, "view/view.js")
